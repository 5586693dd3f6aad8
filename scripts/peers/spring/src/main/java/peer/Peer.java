package peer;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RestController;

@SpringBootApplication
@RestController
public class Peer {
    public static void main(String[] args) {
        SpringApplication.run(Peer.class, args);
    }

    @GetMapping("/api/auth/me")
    Map<String, String> me(@RequestAttribute String username) {
        return Map.of("username", username);
    }

    @Component
    static class Guard extends HttpFilter {
        private final StringRedisTemplate redis;

        Guard(StringRedisTemplate redis) {
            this.redis = redis;
        }

        @Override
        protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
                throws IOException, ServletException {
            String header = request.getHeader("Authorization");
            String username = header == null || !header.startsWith("Bearer ")
                    ? null
                    : redis.opsForValue().get("tokens:" + header.substring("Bearer ".length()));
            if (username == null) {
                response.setStatus(HttpServletResponse.SC_UNAUTHORIZED);
            } else {
                request.setAttribute("username", username);
                chain.doFilter(request, response);
            }
        }
    }
}
