// The lifecycle of a token and an account, with clients that are generated from openapi.json: one in TypeScript, and then one
// in Java. scripts/openapi compiles them, and runs this with CLASSPATH, CLIENT_CLASSPATH and JAVA_HOME set.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
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

// Starts a proxy in front of the service that adds fields to each object of a response, as a later version may.
async function startLaterVersion(service: string): Promise<string> {
  const more = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(more) : value === null || typeof value !== 'object' ? value
      : { ...Object.fromEntries(Object.entries(value).map(([name, field]) => [name, more(field)])), ...ADDED };
  const proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const { host, connection, 'content-length': length, 'transfer-encoding': coding, ...headers } = request.headers;
    const body = chunks.length ? { body: Buffer.concat(chunks) } : {};
    const answer = await fetch(service + request.url, { method: String(request.method), headers: headers as Record<string, string>, ...body });
    const text = await answer.text();
    answer.headers.forEach((value, name) => /^(content-length|connection|keep-alive)$/.test(name) || response.setHeader(name, value));
    response.writeHead(answer.status).end(text && JSON.stringify(more(JSON.parse(text))));
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

const ADDED = { addedText: 'a', addedNumber: 1, addedObject: { a: [1] }, addedList: [{ a: null }], addedNull: null, addedFlag: true };
const SECRET = 'a secret of at least 32 characters';
const baseUrl = await startLaterVersion(await startService());
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

for (let i = 0; (await client.GET('/health/ready')).response.status !== 200; i++) {
  assert(i < 100, 'the service is ready within 10 s');
  await setTimeout(100);
}
expect(201, await client.POST('/api/auth/register', { body: credentials }));
const taken = await client.POST('/api/auth/register', { body: credentials });
assert.equal(taken.error?.code, 'username_taken');
const invalid = await client.POST('/api/auth/register', { body: { username: 'b', password: 'password' } });
assert.deepEqual(invalid.error?.errors?.map(error => [error.field, error.code, error.minimum]), [['username', 'too_short', 3], ['password', 'common_password', undefined]]);

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
assert.equal(expect(200, await client.POST('/api/auth/introspect', form)).active, false);
token = expect(200, await client.POST('/api/auth/login', { body: { ...credentials, name: 'lifecycle', expiresIn: 86400 } })).token;

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
assert.deepEqual(sessions.map(session => [session.name, session.current]), [['lifecycle', true]]);
const change2 = { currentPassword: credentials.password, newPassword: 'another passphrase altogether' };
token = expect(200, await client.PUT('/api/auth/password', { body: change2 })).token;
expect(204, await client.POST('/api/auth/logout'));
expect(401, await client.GET('/api/auth/me'));
token = expect(200, await client.POST('/api/auth/login', { body: { ...credentials, password: change2.newPassword } })).token;
expect(204, await client.DELETE('/api/auth/account', { body: { password: change2.newPassword } }));
assert.equal((await client.GET('/openapi.json')).data?.openapi, '3.1.1');
console.log('The generated TypeScript client has run the lifecycle.');

const java = spawn(`${process.env['JAVA_HOME']}/bin/java`, ['-cp', String(process.env['CLIENT_CLASSPATH']), 'Lifecycle', baseUrl, SECRET], { stdio: 'inherit' });
process.exit((await once(java, 'exit'))[0]);
