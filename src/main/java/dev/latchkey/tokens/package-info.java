/**
 * Bearer tokens and sessions in Redis.
 *
 * <p>A session starts with a login and has one valid token at a time; each refresh rotates the token. {@link
 * dev.latchkey.tokens.TokenKeys} owns the token keys, which alone decide whether a token is valid. {@link
 * dev.latchkey.tokens.SessionIndex} lists the tokens of a user, so that they can be shown and revoked. {@link
 * dev.latchkey.tokens.TokenStore} keeps both consistent.
 */
@NullMarked
package dev.latchkey.tokens;

import org.jspecify.annotations.NullMarked;
