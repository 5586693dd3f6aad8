package example;

import java.security.Principal;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * An application with Spring Boot 4 that accepts the tokens of Latchkey. It has the dependencies spring-boot-starter-webmvc and
 * spring-boot-starter-security-oauth2-resource-server, and these properties:
 *
 * <pre>
 * spring.security.oauth2.resourceserver.opaquetoken.introspection-uri=https://latchkey.example/api/auth/introspect
 * spring.security.oauth2.resourceserver.opaquetoken.client-id=the INTROSPECTION_CLIENT_ID of Latchkey
 * spring.security.oauth2.resourceserver.opaquetoken.client-secret=its INTROSPECTION_CLIENT_SECRET
 * </pre>
 */
@SpringBootApplication
@RestController
public class ResourceServer {
    public static void main(String[] args) {
        SpringApplication.run(ResourceServer.class, args);
    }

    // Each request is introspected, so that a revoked token is refused from the next request on. Cookies are not used.
    @Bean
    SecurityFilterChain security(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
                .oauth2ResourceServer(server -> server.opaqueToken(Customizer.withDefaults()))
                .csrf(csrf -> csrf.disable()) // a browser does not send bearer tokens by itself
                .build();
    }

    /** Returns the username of the caller. */
    @GetMapping("/hello")
    String hello(Principal caller) {
        return "Hello " + caller.getName();
    }
}
