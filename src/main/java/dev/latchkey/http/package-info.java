/**
 * HTTP on the JDK's own server: limits, routing, strict input, problem answers, access log.
 *
 * <p>Reading order: {@link dev.latchkey.http.Server} (start, drain) and {@link
 * dev.latchkey.http.ServerLimits}, {@link dev.latchkey.http.ArrivalGate} (before a request is read), {@link
 * dev.latchkey.http.RequestHead}, {@link dev.latchkey.http.ErrorFilter} (what surrounds every request), {@link dev.latchkey.http.Router} (which handler), {@link dev.latchkey.http.Request}, {@link
 * dev.latchkey.http.Fields}, {@link dev.latchkey.http.Response}. Imports nothing of the rest of the project.
 */
@NullMarked
package dev.latchkey.http;

import org.jspecify.annotations.NullMarked;
