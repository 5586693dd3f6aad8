// The lifecycle of a token and an account, with a client that is generated from openapi.json. scripts/openapi compiles it,
// and runs it with CLASSPATH and JAVA_HOME set.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

// Starts the service with a Redis of its own, and returns its URL. No setting of the developer reaches it.
async function startService(): Promise<string> {
  const options = ['-cp', String(process.env['CLASSPATH']), 'dev.latchkey.testing.DevMain', '--own-redis'];
  const child = spawn(`${process.env['JAVA_HOME']}/bin/java`, options, {
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: '0',
      PBKDF2_ITERATIONS: '100000',
      INTROSPECTION_CLIENT_ID: 'client',
      INTROSPECTION_CLIENT_SECRET: SECRET,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill());
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    const port = line.match(/listening on http:\/\/localhost:(\d+)/)?.[1];
    if (port) {
      return `http://127.0.0.1:${port}`;
    }
  }
  throw new Error(`the service has not started\n${lines.join('\n')}`);
}

const SECRET = 'a secret of at least 32 characters';
const baseUrl = await startService();
const credentials: components['schemas']['Credentials'] = { username: 'alice', password: 'correct horse battery' };

let token = '';
const client = createClient<paths>({ baseUrl });
client.use({
  onRequest({ request }) {
    if (token && !request.headers.has('Authorization')) {
      request.headers.set('Authorization', `Bearer ${token}`);
    }
  },
});

// Returns the body of a response that must have the status code.
function expect<T>(status: number, result: { data?: T; error?: unknown; response: Response }): T {
  assert.equal(result.response.status, status, JSON.stringify(result.error));
  return result.data as T;
}

expect(200, await client.GET('/health/ready'));
expect(201, await client.POST('/api/auth/register', { body: credentials }));
const taken = await client.POST('/api/auth/register', { body: credentials });
assert.equal(taken.error?.status, 409);
const invalid = await client.POST('/api/auth/register', { body: { username: 'b', password: 'password' } });
assert(invalid.error && 'errors' in invalid.error);
assert.deepEqual(invalid.error.errors?.map(error => error.field), ['username', 'password']);

const wrong = await client.POST('/api/auth/login', { body: { ...credentials, password: 'wrong password' } });
assert.equal(wrong.response.headers.get('WWW-Authenticate'), 'Bearer realm="latchkey"');
const login = expect(200, await client.POST('/api/auth/login', { body: credentials }));
assert(new Date(login.expiresDate).getTime() > Date.now());
token = login.token;
token = expect(200, await client.POST('/api/auth/refresh')).token;
const verified = await client.GET('/api/auth/verify');
expect(200, verified);
assert.equal(verified.response.headers.get('X-Auth-User'), 'alice');
expect(200, await client.GET('/api/auth/verify/{path}', { params: { path: { path: 'page' } } }));
assert.equal(expect(200, await client.GET('/api/auth/me')).username, 'alice');

// RFC 7662 and RFC 7009: a form, with HTTP Basic.
const form = {
  headers: { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: `Basic ${btoa(`client:${encodeURIComponent(SECRET)}`)}` },
  body: { token },
  bodySerializer: (body: Record<string, unknown>) => new URLSearchParams(body as Record<string, string>).toString(),
};
const active = expect(200, await client.POST('/api/auth/introspect', form));
assert(active.active && active.sub === 'alice');
expect(200, await client.POST('/api/auth/revoke', { ...form, parseAs: 'text' }));
assert.deepEqual(expect(200, await client.POST('/api/auth/introspect', form)), { active: false });
token = expect(200, await client.POST('/api/auth/login', { body: credentials })).token;

const created = await client.POST('/api/todos', { body: { name: 'Read the source' } });
const todo = expect(201, created);
const etag = String(created.response.headers.get('ETag'));
const id = { id: todo.id };
const unchanged = { path: id, header: { 'If-None-Match': etag } };
expect(304, await client.GET('/api/todos/{id}', { params: unchanged }));
const change = { status: 'in progress' } as const;
const match = { path: id, header: { 'If-Match': etag } };
assert.equal(expect(200, await client.PATCH('/api/todos/{id}', { params: match, body: change })).status, change.status);
expect(412, await client.DELETE('/api/todos/{id}', { params: match }));
const page = expect(200, await client.GET('/api/todos', { params: { query: { status: 'in progress', limit: 1 } } }));
assert.deepEqual([page.todos[0]?.name, page.total, page.next], ['Read the source', 1, null]);
expect(204, await client.DELETE('/api/todos/{id}', { params: { path: id } }));

const sessions = expect(200, await client.GET('/api/auth/sessions')).sessions;
assert.deepEqual(sessions.map(session => session.current), [true]);
const change2 = { currentPassword: credentials.password, newPassword: 'another passphrase altogether' };
token = expect(200, await client.PUT('/api/auth/password', { body: change2 })).token;
expect(204, await client.POST('/api/auth/logout'));
expect(401, await client.GET('/api/auth/me'));
token = expect(200, await client.POST('/api/auth/login', { body: { ...credentials, password: change2.newPassword } })).token;
expect(204, await client.DELETE('/api/auth/account', { body: { password: change2.newPassword } }));
assert.equal((await client.GET('/openapi.json')).data?.openapi, '3.1.1');
console.log('The generated client has run the lifecycle.');
process.exit(0);
