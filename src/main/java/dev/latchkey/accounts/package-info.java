/**
 * User accounts, passwords, and the limits on guessing them.
 *
 * <p>Reading order: {@link dev.latchkey.accounts.AccountService}, {@link dev.latchkey.accounts.UserStore}, {@link
 * dev.latchkey.accounts.PasswordHasher}, {@link dev.latchkey.accounts.PasswordPolicy}, {@link
 * dev.latchkey.accounts.LoginThrottle}.
 */
@NullMarked
package dev.latchkey.accounts;

import org.jspecify.annotations.NullMarked;
