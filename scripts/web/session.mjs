// Runs scripts/examples/clients/session.js in two tabs of a page, while the token has to be refreshed all the time.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const SOURCE = readFileSync('scripts/examples/clients/session.js', 'utf8');
const user = { username: 'session', password: 'correct horse battery' };

export async function session({ service, listed, until, open }) {
  const context = (await open(listed)).page.context();
  const [page, other] = [await context.newPage(), await context.newPage()];
  await page.goto(listed);
  await other.goto(listed);
  // In the page: a session whose logins ask for tokens that live two seconds, so that they are refreshed after one.
  const start = ([source, url]) => import(`data:text/javascript,${encodeURIComponent(source)}`).then(({ Session }) => {
    globalThis.session = new Session(url);
  });
  const short = SOURCE.replace('json: { username, password }', 'json: { username, password, expiresIn: 2 }');
  assert.notEqual(short, SOURCE);
  await page.evaluate(start, [short, service.url]);
  await page.evaluate(([url, body]) => fetch(`${url}/api/auth/register`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  }), [service.url, user]);
  const wrong = await page.evaluate(name => globalThis.session.login(name, 'wrong password'), user.username);
  assert.equal(wrong.code, 'wrong_credentials');
  await page.evaluate(({ username, password }) => globalThis.session.login(username, password), user);
  await other.evaluate(start, [short, service.url]); // a tab that is opened later gets the token from the first one

  const statuses = tab => tab.evaluate(() => Promise.all(
    Array.from({ length: 10 }, () => globalThis.session.fetch('/api/auth/me').then(response => response.status))));
  await until(async () => (await statuses(other))[0] === 200, () => 'the second tab has the token');
  const refreshes = () => service.lines.filter(line => line.includes('method=POST path=/api/auth/refresh ')).map(line => line.match(/status=(\d+)/)[1]);
  const before = refreshes().length;
  while (refreshes().length < before + 3) {
    for (const all of await Promise.all([statuses(page), statuses(other)])) {
      assert.deepEqual(all, Array(10).fill(200));
    }
  }
  // A tab may try the old token before it gets the message of the other one, and then waits for that.
  assert.deepEqual(refreshes().slice(before).filter(status => status !== '200' && status !== '401'), []);
  await page.evaluate(() => globalThis.session.logout());
  await until(async () => (await statuses(other))[0] === 401, () => 'the second tab is logged out');
}
