import java.time.OffsetDateTime;
import java.util.List;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.JSON;
import org.openapitools.client.api.AccountsApi;
import org.openapitools.client.api.ServiceApi;
import org.openapitools.client.api.SessionsApi;
import org.openapitools.client.api.TodosApi;
import org.openapitools.client.api.TokensApi;
import org.openapitools.client.model.Credentials;
import org.openapitools.client.model.FieldErrorCode;
import org.openapitools.client.model.ErrorCode;
import org.openapitools.client.model.NewCredentials;
import org.openapitools.client.model.NewTodo;
import org.openapitools.client.model.PasswordChange;
import org.openapitools.client.model.PasswordConfirmation;
import org.openapitools.client.model.Problem;
import org.openapitools.client.model.Session;
import org.openapitools.client.model.Status;
import org.openapitools.client.model.Todo;
import org.openapitools.client.model.TodoChange;
import org.openapitools.client.model.TodoPage;
import org.openapitools.client.model.Up;

/**
 * The lifecycle of a token and an account, with the client that OpenAPI Generator makes from openapi.json.
 *
 * <p>usage: Lifecycle URL CLIENT-SECRET
 */
final class Lifecycle {
    private static final String PASSWORD = "correct horse battery";
    private static final String NEW_PASSWORD = "another passphrase altogether";

    interface Request {
        void send() throws ApiException;
    }

    public static void main(String[] args) throws ApiException {
        var client = new ApiClient().setBasePath(args[0]);
        var accounts = new AccountsApi(client);
        var tokens = new TokensApi(client);
        var sessions = new SessionsApi(client);
        var todos = new TodosApi(client);
        check(new ServiceApi(client).getReadiness().getStatus() == Up.StatusEnum.UP);

        var bob = new NewCredentials().username("bob").password(PASSWORD);
        check(accounts.register(bob).getUsername().equals("bob"));
        check(refused(409, () -> accounts.register(bob)).getCode() == ErrorCode.USERNAME_TAKEN);
        var invalid = refused(400, () -> accounts.register(new NewCredentials().username("x").password(PASSWORD)));
        check(invalid.getErrors().getFirst().getCode() == FieldErrorCode.TOO_SHORT);
        check(invalid.getErrors().getFirst().getMinimum() == 3);

        var credentials = new Credentials().username("bob").password(PASSWORD).name("lifecycle").expiresIn(86_400);
        var login = accounts.login(credentials);
        check(login.getExpiresDate().isAfter(OffsetDateTime.now().plusHours(23)));
        client.setBearerToken(login.getToken());
        client.setBearerToken(tokens.refresh().getToken());
        tokens.verify();
        check(accounts.getAccount().getUsername().equals("bob"));
        List<Session> list = sessions.listSessions().getSessions();
        check(list.size() == 1 && list.getFirst().getCurrent() && list.getFirst().getName().equals("lifecycle"));

        Todo todo = todos.createTodo(new NewTodo().name("Read the source"));
        String id = todo.getId().toString();
        check(todos.changeTodo(id, new TodoChange().status(Status.IN_PROGRESS), null).getStatus() == Status.IN_PROGRESS);
        TodoPage page = todos.listTodos(Status.IN_PROGRESS, 1, null);
        check(page.getTotal() == 1 && page.getNext() == null && page.getTodos().getFirst().getName().equals("Read the source"));
        check(refused(412, () -> todos.deleteTodo(id, "\"old\"")).getCode() == ErrorCode.PRECONDITION_FAILED);
        todos.deleteTodo(id, null);

        var resourceServer = new ApiClient().setBasePath(args[0]);
        resourceServer.setUsername("client");
        resourceServer.setPassword(args[1]);
        var introspection = new TokensApi(resourceServer);
        String other = accounts.login(new Credentials().username("bob").password(PASSWORD)).getToken();
        check(introspection.introspect(other, null).getSub().equals("bob"));
        introspection.revoke(other, null);
        check(!introspection.introspect(other, null).getActive());

        var change = new PasswordChange().currentPassword(PASSWORD).newPassword(NEW_PASSWORD);
        client.setBearerToken(accounts.changePassword(change).getToken());
        tokens.logout();
        check(refused(401, accounts::getAccount).getCode() == ErrorCode.INVALID_TOKEN);
        client.setBearerToken(accounts.login(credentials.password(NEW_PASSWORD)).getToken());
        accounts.deleteAccount(new PasswordConfirmation().password(NEW_PASSWORD));
        System.out.println("The generated Java client has run the lifecycle.");
        System.exit(0); // its connection pool has threads
    }

    private static Problem refused(int status, Request request) {
        try {
            request.send();
        } catch (ApiException e) {
            check(e.getCode() == status);
            return JSON.getGson().fromJson(e.getResponseBody(), Problem.class);
        }
        throw new AssertionError("not refused");
    }

    private static void check(boolean condition) {
        if (!condition) {
            throw new AssertionError();
        }
    }
}
