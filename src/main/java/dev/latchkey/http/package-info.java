/**
 * HTTP on the JDK's own server: limits, routing, strict parsing, error responses and the access log.
 *
 * <p>Reading order: {@link dev.latchkey.http.RequestHandler}, which shows the life of a request; {@link
 * dev.latchkey.http.Router}, {@link dev.latchkey.http.Request}, {@link dev.latchkey.http.RequestFields} and {@link
 * dev.latchkey.http.Response}, which handlers use; {@link dev.latchkey.http.Cors}; then what protects the server:
 * {@link dev.latchkey.http.Server}, {@link dev.latchkey.http.ServerLimits}, {@link dev.latchkey.http.ArrivalGate}, {@link
 * dev.latchkey.http.RequestHead} and {@link dev.latchkey.http.RequestBody}.
 */
@NullMarked
package dev.latchkey.http;

import org.jspecify.annotations.NullMarked;
