/**
 * Latchkey: opaque bearer tokens in Redis, validated with one GET, rotated on refresh, and revoked immediately on
 * logout.
 *
 * <p>Reading order: {@link dev.latchkey.App} creates all parts; {@link dev.latchkey.api.Routes} is the table of
 * routes; {@code http} is the server; {@code tokens} and {@code accounts} are the core; {@code todos} is an API that
 * tokens protect; {@code redis} has the commands; {@code overload} refuses work; {@code metrics} measures; {@code logging}, {@code json}, {@code
 * encoding} and {@code validation} are what their names say; {@code config} reads the environment; {@code cli} has the commands of an operator;
 * {@link dev.latchkey.Main} is the process.
 *
 * <p>Guarantees:
 *
 * <ul>
 *   <li>A guarded handler runs only for the owner of a valid token, and Redis decides that for each request.
 *   <li>Exactly one of several concurrent refreshes of a token gets a new token, and the old token is invalid.
 *   <li>Changing the password, logging out everywhere and deleting the account revoke all tokens, including those of
 *       requests in flight. Registering a deleted username again inherits nothing.
 *   <li>Passwords are only stored as salted PBKDF2 hashes. Passwords, hashes and tokens are never logged. Guessing is
 *       limited per username and address.
 *   <li>If Redis does not reply, the response is a fast 503, never a 401. No command is replayed after a reconnect.
 *   <li>A signal to stop lets requests in flight finish.
 * </ul>
 *
 * <p>Out of scope: TLS, which is the task of a reverse proxy; multi-factor authentication; e-mail.
 */
@NullMarked
package dev.latchkey;

import org.jspecify.annotations.NullMarked;
