import com.google.gson.Gson;
import com.google.protobuf.TypeRegistry;
import com.google.protobuf.util.JsonFormat;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.ExtAuthz;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute;
import io.envoyproxy.envoy.extensions.filters.http.header_mutation.v3.HeaderMutation;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import org.yaml.snakeyaml.Yaml;

/** Parses a configuration of Envoy with Envoy's own message types. Fails at an unknown field or a value of a wrong type. */
class Envoy {
    public static void main(String[] args) throws Exception {
        var types = TypeRegistry.newBuilder()
                .add(HttpConnectionManager.getDescriptor())
                .add(HeaderMutation.getDescriptor())
                .add(ExtAuthz.getDescriptor())
                .add(ExtAuthzPerRoute.getDescriptor())
                .add(Router.getDescriptor())
                .add(HttpProtocolOptions.getDescriptor())
                .build();
        Object yaml = new Yaml().load(Files.readString(Path.of(args[0])));
        JsonFormat.parser().usingTypeRegistry(types).merge(new Gson().toJson(yaml), Bootstrap.newBuilder());
    }
}
