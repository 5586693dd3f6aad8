// Pages of a listed and of an unlisted origin use the API of another origin.
import assert from 'node:assert/strict';

const PASSWORD = 'correct horse battery';
const TODO = '/api/todos';
const LOGIN = '/api/auth/login';
const REGISTER = '/api/auth/register';

// Runs in the page, and returns what the page can see of the response.
async function call([url, method, { token, body, headers, ...options }]) {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body && JSON.stringify(body),
      ...options,
    });
    const text = await response.text();
    return { status: response.status, headers: Object.fromEntries(response.headers), body: text && JSON.parse(text) };
  } catch (error) {
    return { error: String(error) };
  }
}

export async function cors({ service, listed, unlisted, until, open }) {
  const client = ({ page, expected }) => async (status, method, path, options = {}) => {
    const response = await page.evaluate(call, [service.url + path, method, options]);
    assert.equal(response.status, status, `${method} ${path}: ${JSON.stringify(response)}`);
    if (status >= 400) {
      expected.push(new RegExp(`Failed to load resource: .* status of ${status}`));
    }
    return response;
  };
  const refused = ({ page, expected }) => async (reason, method, path, options = {}) => {
    const response = await page.evaluate(call, [service.url + path, method, options]);
    assert.deepEqual(response, { error: 'TypeError: Failed to fetch' }, `${method} ${path}`);
    expected.push(reason, /Failed to load resource: net::ERR_FAILED/);
  };

  const page = await open(listed);
  const send = client(page);
  const alice = { username: 'alice', password: PASSWORD };
  await send(201, 'POST', REGISTER, { body: alice });
  const { token } = (await send(200, 'POST', LOGIN, { body: alice })).body;

  const created = await send(201, 'POST', TODO, { token, body: { name: 'a' }, headers: { 'X-Request-Id': 'from-page' } });
  assert.equal(created.headers['x-request-id'], 'from-page');
  const todo = new URL(created.headers.location, service.url + TODO).pathname;
  const etag = created.headers.etag;
  const changed = await send(200, 'PATCH', todo, { token, body: { name: 'b' }, headers: { 'If-Match': etag } });
  assert.notEqual(changed.headers.etag, etag);
  await send(412, 'PATCH', todo, { token, body: { name: 'c' }, headers: { 'If-Match': etag } });
  await send(304, 'GET', todo, { token, headers: { 'If-None-Match': changed.headers.etag } });
  assert.equal((await send(200, 'GET', todo, { token })).body.name, 'b');
  await send(204, 'DELETE', todo, { token });

  const wrong = { username: 'alice', password: 'a wrong password' };
  for (let i = 0; i < 10; i++) {
    const failed = await send(401, 'POST', LOGIN, { body: wrong });
    assert.equal(failed.headers['www-authenticate'], 'Bearer realm="latchkey"');
  }
  const limited = await send(429, 'POST', LOGIN, { body: alice });
  assert(limited.headers['retry-after'] > 0 && limited.headers['retry-after'] <= 900, JSON.stringify(limited));

  // A preflight is never a token check, and no cookies are allowed.
  const refusedHere = refused(page);
  await refusedHere(/preflight .* does not have HTTP ok status/, 'GET', '/api/auth/verify', { token });
  await refusedHere(/Access-Control-Allow-Credentials/, 'GET', '/health/live', { credentials: 'include' });

  // The browser asks once, and remembers the response for Access-Control-Max-Age.
  const logged = (method, path) => service.lines.filter(line => line.includes(`method=${method} path=${path} `)).length;
  await until(() => logged('POST', LOGIN) === 12, () => service.lines.join('\n'));
  assert.equal(logged('OPTIONS', LOGIN), 1);

  const other = await open(unlisted);
  const refusedThere = refused(other);
  const mallory = { username: 'mallory', password: PASSWORD };
  await refusedThere(/No 'Access-Control-Allow-Origin'/, 'POST', REGISTER, { body: mallory });
  await refusedThere(/No 'Access-Control-Allow-Origin'/, 'GET', '/api/auth/me', { token });
  await refusedThere(/No 'Access-Control-Allow-Origin'/, 'GET', '/health/live');
  // Without a preflight, the request arrives. The service refuses it, because it is not declared as JSON.
  await other.page.evaluate(
    ([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', body }),
    [service.url + REGISTER, JSON.stringify(mallory)],
  );
  other.expected.push(/Failed to load resource: .* status of 415/);
  await until(() => logged('POST', REGISTER) === 2, () => service.lines.join('\n'));
  assert.equal(logged('GET', '/api/auth/me'), 0);
  await send(201, 'POST', REGISTER, { body: mallory }); // The name is still free.
}
