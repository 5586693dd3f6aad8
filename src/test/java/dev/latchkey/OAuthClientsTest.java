package dev.latchkey;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.nimbusds.oauth2.sdk.AbstractRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionResponse;
import com.nimbusds.oauth2.sdk.TokenIntrospectionSuccessResponse;
import com.nimbusds.oauth2.sdk.TokenRevocationRequest;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.token.AccessTokenType;
import com.nimbusds.oauth2.sdk.token.BearerAccessToken;
import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import java.net.URI;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.security.oauth2.core.OAuth2AuthenticatedPrincipal;
import org.springframework.security.oauth2.core.OAuth2TokenIntrospectionClaimNames;
import org.springframework.security.oauth2.server.resource.introspection.BadOpaqueTokenException;
import org.springframework.security.oauth2.server.resource.introspection.OAuth2IntrospectionException;
import org.springframework.security.oauth2.server.resource.introspection.OpaqueTokenIntrospector;
import org.springframework.security.oauth2.server.resource.introspection.RestClientOpaqueTokenIntrospector;
import org.springframework.security.oauth2.server.resource.introspection.SpringOpaqueTokenIntrospector;
import org.springframework.web.client.RestClient;

/** OAuth libraries, as they come, introspect and revoke tokens: Spring Security and the Nimbus SDK. */
class OAuthClientsTest extends StorageMatrix {
    private static final String INTROSPECT = "/api/auth/introspect";

    private static URI uri(TestApp service, String path) {
        return URI.create("http://127.0.0.1:" + service.port() + path);
    }

    private static OpaqueTokenIntrospector spring(boolean restClient, TestApp service, String secret) {
        String introspectionUri = uri(service, INTROSPECT).toString();
        return restClient
                ? RestClientOpaqueTokenIntrospector.withIntrospectionUri(introspectionUri)
                        .clientId(TestApp.CLIENT_ID)
                        .clientSecret(secret)
                        .build()
                : SpringOpaqueTokenIntrospector.withIntrospectionUri(introspectionUri)
                        .clientId(TestApp.CLIENT_ID)
                        .clientSecret(secret)
                        .build();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void spring_security_accepts_a_token_until_it_is_revoked(boolean restClient) {
        OpaqueTokenIntrospector introspector = spring(restClient, app, TestApp.CLIENT_SECRET);
        String name = TestApp.newName();
        String token = app.newToken(name);
        OAuth2AuthenticatedPrincipal principal = introspector.introspect(token);
        assertEquals(name, principal.getName());
        assertEquals(name, principal.getAttribute(OAuth2TokenIntrospectionClaimNames.USERNAME));
        Instant end = Instant.ofEpochMilli(app.redis().pexpiretime(app.key(token)));
        Instant expires = requireNonNull(principal.<Instant>getAttribute(OAuth2TokenIntrospectionClaimNames.EXP));
        assertTrue(!expires.isAfter(end) && expires.isAfter(end.minusSeconds(10)), expires + " " + end);

        app.send("POST", "/api/auth/logout", token, "");
        assertThrows(BadOpaqueTokenException.class, () -> introspector.introspect(token));
        assertThrows(BadOpaqueTokenException.class, () -> introspector.introspect("malformed"));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void spring_security_does_not_take_a_wrong_secret_for_an_invalid_token(boolean restClient) {
        String token = app.newToken();
        OpaqueTokenIntrospector introspector = spring(restClient, app, TestApp.CLIENT_SECRET + "x");
        var e = assertThrows(OAuth2IntrospectionException.class, () -> introspector.introspect(token));
        assertFalse(e instanceof BadOpaqueTokenException, e::toString);
    }

    /** Like curl -u, and like Spring Security before version 6.5 and its constructors until today. */
    @ParameterizedTest
    @CsvSource({
        "0123456789:abcdef 0123456789?&=/, true",
        "0123456789-abcdef_0123456789.~*0, true",
        "0123456789+abcdef+0123456789+012, false",
        "0123456789%abcdef%0123456789%012, false",
        "0123456789%41abcdef0123456789%41, false"
    })
    void clients_that_do_not_form_encode_their_secret_work_without_plus_and_percent_in_it(String secret, boolean works)
            throws Exception {
        String[] settings = {
            "TOKEN_STORAGE", storage,
            "INTROSPECTION_CLIENT_ID", "resource-server",
            "INTROSPECTION_CLIENT_SECRET", secret,
        };
        try (var other = TestApp.start(settings)) {
            var restClient = RestClient.builder()
                    .defaultHeaders(headers -> headers.setBasicAuth("resource-server", secret))
                    .build();
            String introspectionUri = uri(other, INTROSPECT).toString();
            var introspector = new RestClientOpaqueTokenIntrospector(introspectionUri, restClient);
            String token = other.newToken();
            if (works) {
                assertTrue(introspector.introspect(token).getName().startsWith("u"));
            } else {
                assertThrows(OAuth2IntrospectionException.class, () -> introspector.introspect(token));
            }
        }
    }

    private static HTTPResponse send(AbstractRequest request) throws Exception {
        return request.toHTTPRequest().send();
    }

    private static ClientSecretBasic nimbus(String secret) {
        return new ClientSecretBasic(new ClientID(TestApp.CLIENT_ID), new Secret(secret));
    }

    private static TokenIntrospectionSuccessResponse introspect(String token) throws Exception {
        var request = new TokenIntrospectionRequest(
                uri(app, INTROSPECT), nimbus(TestApp.CLIENT_SECRET), new BearerAccessToken(token));
        return TokenIntrospectionResponse.parse(send(request)).toSuccessResponse();
    }

    @Test
    void the_nimbus_sdk_introspects_and_revokes_a_token() throws Exception {
        String name = TestApp.newName();
        String token = app.newToken(name);
        var active = introspect(token);
        assertTrue(active.isActive());
        assertEquals(name, active.getUsername());
        assertEquals(name, active.getSubject().getValue());
        assertEquals(AccessTokenType.BEARER, active.getTokenType());
        assertTrue(active.getExpirationTime().toInstant().isAfter(Instant.now()));

        var revocation = new TokenRevocationRequest(
                uri(app, "/api/auth/revoke"), nimbus(TestApp.CLIENT_SECRET), new BearerAccessToken(token));
        assertTrue(send(revocation).indicatesSuccess());
        assertFalse(introspect(token).isActive());
        assertEquals(401, app.get("/api/auth/verify", token).status());
        assertTrue(send(revocation).indicatesSuccess());
    }

    /** The library cannot read problem+json, and does not need to: the status code says that the client is wrong. */
    @Test
    void the_nimbus_sdk_gets_an_error_for_a_wrong_secret() throws Exception {
        var request = new TokenIntrospectionRequest(
                uri(app, INTROSPECT), nimbus(TestApp.CLIENT_SECRET + "x"), new BearerAccessToken(app.newToken()));
        var error = TokenIntrospectionResponse.parse(send(request)).toErrorResponse();
        assertEquals(401, error.getErrorObject().getHTTPStatusCode());
    }
}
