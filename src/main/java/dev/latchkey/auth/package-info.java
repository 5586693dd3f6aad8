/**
 * Accounts, passwords, bearer tokens and sessions.
 *
 * <p>Reading order: {@link dev.latchkey.auth.AuthFilter} (what every guarded request passes), {@link
 * dev.latchkey.auth.TokenStore} over {@link dev.latchkey.auth.TokenStorage} and {@link dev.latchkey.auth.SessionIndex},
 * {@link dev.latchkey.auth.Accounts} (what holds against what else happens) over {@link dev.latchkey.auth.UserStore},
 * {@link dev.latchkey.auth.AuthRoutes} (the same by HTTP), {@link dev.latchkey.auth.PasswordHasher}, {@link
 * dev.latchkey.auth.PasswordPolicy}, {@link dev.latchkey.auth.LoginThrottle}, {@link dev.latchkey.auth.Audit}.
 */
@NullMarked
package dev.latchkey.auth;

import org.jspecify.annotations.NullMarked;
