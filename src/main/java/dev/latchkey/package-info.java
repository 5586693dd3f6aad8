/**
 * Latchkey: opaque bearer tokens in Redis, validated with one GET, rotated on refresh, revoked at once on logout.
 *
 * <p>The map, in reading order: {@link dev.latchkey.App} puts all parts together; {@code http} is the server; {@code auth}
 * accounts, passwords, tokens and sessions; {@code todos} an API that the tokens protect; {@code ops} health and logs; {@code overload} what
 * refuses work that cannot be done in time; {@code
 * redis} the commands; {@link dev.latchkey.Config} the environment; {@link dev.latchkey.Main} the process.
 *
 * <p>What is guaranteed:
 *
 * <ul>
 *   <li>A guarded handler runs for the holder of a live token only, and that is decided by Redis at that request.
 *   <li>Of any number of concurrent refreshes of one token exactly one gets a new one, and the old is dead.
 *   <li>Who changes a password, logs out everywhere or deletes an account ends every token, those of requests in flight
 *       too; who registers a name next inherits nothing.
 *   <li>Passwords are kept as salted PBKDF2 hashes only; passwords, hashes and tokens are never logged. Guessing is
 *       limited by name and address.
 *   <li>Where Redis does not answer, the answer is a fast 503, never 401 and never a guess, and no command is sent twice.
 *   <li>What is in flight when the process is told to stop is finished.
 * </ul>
 *
 * <p>What is not: TLS (a reverse proxy's work), several factors, e-mail.
 */
@NullMarked
package dev.latchkey;

import org.jspecify.annotations.NullMarked;
