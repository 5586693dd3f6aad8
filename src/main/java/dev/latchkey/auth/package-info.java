/**
 * Users, passwords and bearer tokens.
 *
 * <p>Reading order: {@link dev.latchkey.auth.AuthFilter} (what every guarded request passes), {@link
 * dev.latchkey.auth.TokenStore}, {@link dev.latchkey.auth.AuthRoutes}, {@link dev.latchkey.auth.PasswordHasher}, {@link
 * dev.latchkey.auth.UserStore}, {@link dev.latchkey.auth.Username}, {@link dev.latchkey.auth.PasswordPolicy}.
 */
@NullMarked
package dev.latchkey.auth;

import org.jspecify.annotations.NullMarked;
