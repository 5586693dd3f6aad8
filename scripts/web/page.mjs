// Uses the demo page as a person would, with two devices. Leaves screenshots in target/browser. Those called revoked-…
// are in the README.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 800, 1440];

export async function demoPage({ service, until, open }) {
  const { page, errors, expected } = await open(service.url);
  const account = page.getByRole('region', { name: 'Account' });
  const left = page.getByRole('region', { name: 'Left device' });
  const right = page.getByRole('region', { name: 'Right device' });
  const name = await page.getByLabel('Username').inputValue();
  const password = await account.getByLabel('Password').inputValue();
  const press = (place, label) => place.getByRole('button', { name: label, exact: true }).click();
  const part = (device, title) => device.locator('section', { has: page.getByRole('heading', { name: title }) });
  // Waits until the newest response in the place has the status code.
  const shows = async (place, status) => {
    await place.locator('.exchange .status', { hasText: String(status) }).waitFor();
    if (status >= 400) {
      expected.push(new RegExp(`Failed to load resource: .* status of ${status}`));
    }
  };
  const state = (device, text) => device.locator('.state', { hasText: text }).waitFor();
  const logIn = async (device, side) => {
    await press(account, `Log in on the ${side}`);
    await state(device, `Logged in as ${name}`);
    await shows(part(device, 'Sessions'), 200);
  };

  // Two sessions, one of which ends the other.
  await press(account, 'Register');
  await shows(account, 201);
  await logIn(left, 'left');
  await logIn(right, 'right');
  await part(left, 'Sessions').getByText('Right device', { exact: true }).waitFor();
  const sessions = part(left, 'Sessions').getByRole('listitem');
  assert.equal(await sessions.count(), 2);
  for (const text of await sessions.allInnerTexts()) {
    assert.match(text, /127\.0\.0\.1, created .*, expires .*Mozilla/s);
  }
  await press(left, 'End the session of Right device');
  await shows(part(left, 'Sessions'), 204);
  await press(right, 'Who am I?');
  await shows(part(right, 'Token'), 401);
  await state(right, 'Token refused');
  assert.match(await part(right, 'Token').locator('pre').innerText(), /WWW-Authenticate: Bearer .*error="invalid_token"/);
  await pictures(page);

  // The token of a machine is in the list under its name, and the device keeps its own.
  const machine = part(left, 'Machines');
  await machine.getByLabel('Machine').fill('backup');
  await press(machine, 'Issue a token');
  await shows(machine, 200);
  assert.match(await machine.locator('.exchange > code').innerText(), /"password":"••••••••","name":"backup","expiresIn":2592000/);
  assert.match(await machine.locator('pre').innerText(), /"token": "••••••••"/);
  await press(left, 'End the session of backup');
  await shows(part(left, 'Sessions'), 204);

  // A password is hidden in the command, however JSON and the shell write it.
  await account.getByLabel('Password').fill(`it's "quoted" \\ here`);
  await press(account, 'Log in on the left');
  await shows(account, 401);
  assert.match(await account.locator('.exchange > code').innerText(), /"password":"••••••••"/);
  await account.getByLabel('Password').fill(password);
  await logIn(left, 'left');

  // Tokens and passwords are hidden until a click. The command can be copied, and works.
  const text = await page.locator('main').innerText();
  assert(!text.includes(password));
  await press(left, 'Show token');
  const token = await left.locator('.value').innerText();
  assert.match(token, /^[0-9a-f-]{36}$/);
  assert(!text.includes(token));
  await press(left, 'Hide token');
  await left.getByLabel('New todo').fill("it's <img src=x onerror=alert(1)>");
  await left.getByLabel('New todo').press('Enter');
  const todos = part(left, 'Todos');
  await shows(todos, 201);
  await press(todos, 'Show secrets');
  const command = await todos.locator('.exchange > code').innerText();
  assert(command.includes(token));
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await press(todos, 'Copy');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
  const response = execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  assert.match(response, /^HTTP\/1\.1 201 .*"name":"it's <img src=x onerror=alert\(1\)>"/s);
  await press(todos, 'Hide secrets');
  assert(!(await todos.innerText()).includes(token));

  // Two todos with that name: the second one is from the terminal. Both devices edit the first one.
  await logIn(right, 'right');
  const others = part(right, 'Todos');
  for (const list of [todos, others]) {
    await press(list, 'List todos');
    await shows(list, 200);
    assert.equal(await list.getByRole('listitem').count(), 2);
    await list.getByRole('button', { name: /^Edit/ }).first().click();
    await list.getByLabel('Name').waitFor();
  }
  await todos.getByLabel('Name').fill('from the left');
  await press(todos, 'Save');
  await todos.getByText('from the left', { exact: true }).waitFor();
  await others.getByLabel('Name').fill('from the right');
  await press(others, 'Save');
  await shows(others, 412);
  await press(others, 'List todos');
  await others.getByRole('checkbox', { name: 'from the left' }).check();
  await shows(others, 200);
  await press(todos, 'List todos');
  await until(() => todos.getByRole('checkbox', { name: 'from the left' }).isChecked(), () => 'the todo is done on the left');
  await press(todos, 'Delete from the left');
  await shows(todos, 204);

  // Of two refreshes of one token, one succeeds.
  await press(account, 'Refresh both at once');
  await until(async () => (await page.locator('.device.valid').count()) === 1, () => 'one device is still logged in');
  const statuses = await Promise.all([left, right].map(device => part(device, 'Token').locator('.status').innerText()));
  assert.deepEqual(statuses.map(text => text.slice(0, 3)).sort(), ['200', '401']);
  expected.push(/Failed to load resource: .* status of 401/);
  await logIn(left, 'left');
  await logIn(right, 'right');

  // While Redis does not reply, requests get a 503. They are repeated until it does.
  const redis = signal => execFileSync('pkill', [`-${signal}`, '-P', String(service.pid), 'redis-server']);
  redis('STOP');
  await press(right, 'Who am I?');
  await shows(part(right, 'Token'), 503);
  redis('CONT');
  await shows(part(right, 'Token'), 200);
  const repetitions = errors.filter(error => /status of 503/.test(error)).length - 1;
  expected.push(...Array(repetitions).fill(/Failed to load resource: .* status of 503/));

  // The password change ends the other session, and a wrong password does not end any.
  const change = part(left, 'Password');
  const newPassword = `${password}-new`;
  for (const [current, status] of [['wrong', 401], [password, 200]]) {
    await change.getByLabel('Current password').fill(current);
    await change.getByLabel('New password').fill(newPassword);
    await press(change, 'Change password');
    await shows(change, status);
  }
  await state(left, `Logged in as ${name}`);
  await press(right, 'Refresh');
  await shows(part(right, 'Token'), 401);
  await logIn(right, 'right');
  await press(right, 'Log out');
  await state(right, 'Logged out');
  await logIn(right, 'right');
  await press(right, 'Log out everywhere');
  await state(right, 'Logged out everywhere');
  await press(left, 'Who am I?');
  await shows(part(left, 'Token'), 401);
  await logIn(left, 'left');

  // Guessing locks the username, but no token.
  await press(account, 'Send 11 wrong passwords');
  await shows(account, 429);
  expected.splice(-1, 0, ...Array(10).fill(/Failed to load resource: .* status of 401/));
  const wait = account.locator('.countdown');
  const before = await wait.innerText();
  assert.match(before, /^Allowed again in 1[0-5]:[0-5][0-9]$/);
  await until(async () => (await wait.innerText()) !== before, () => 'the countdown goes on');
  await press(left, 'Who am I?');
  await shows(part(left, 'Token'), 200);
  await left.locator('.expiry', { hasText: /^expires in 59:[0-9]{2}$/ }).waitFor();

  await keyboard(page);
  // A mistake in page.js cannot turn text into HTML.
  const written = page.evaluate(() => {
    document.body.innerHTML = 'x';
  });
  await assert.rejects(written, /TrustedHTML/);
  expected.push(/TrustedHTML/);
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, '']);
  // The back/forward cache would bring the tokens back.
  const reloaded = page.waitForEvent('load');
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await reloaded;
  await state(left, 'Not logged in');
  assert.equal(await page.locator('.value').first().innerText(), '');
}

// Checks the page with axe-core at each width and in both colour schemes, and takes a screenshot of each.
async function pictures(page) {
  await page.evaluate(AXE);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      const overflow = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      assert(overflow <= 0, `${overflow} px too wide at ${width} px`);
      const { violations } = await page.evaluate(() => axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html)}`), [], `axe-core, ${colorScheme}`);
      await page.screenshot({ path: `target/browser/${colorScheme}-${width}.png`, fullPage: true });
    }
    await page.setViewportSize({ width: 1200, height: 900 });
    const { top, bottom } = await page.evaluate(() => {
      const end = document.querySelector('.ended .exchange').getBoundingClientRect();
      return { top: document.getElementById('devices').offsetTop - 16, bottom: end.bottom + scrollY + 16 };
    });
    const clip = { x: 0, y: top, width: 1200, height: bottom - top };
    await page.screenshot({ path: `target/browser/revoked-${colorScheme}.png`, fullPage: true, clip });
  }
}

// Presses Tab until the focus is back at the start. Every control must have had it, and must have shown it.
async function keyboard(page) {
  const focus = () => {
    const node = document.activeElement;
    const isNew = !node.hadFocus;
    node.hadFocus = true;
    return isNew && { isVisible: node === document.body || getComputedStyle(node).outlineStyle !== 'none', html: node.outerHTML };
  };
  let focused;
  do {
    await page.keyboard.press('Tab');
    focused = await page.evaluate(focus);
    assert(!focused || focused.isVisible, `shows no focus: ${focused.html}`);
  } while (focused);
  const controls = page.locator('button:visible, input:visible, a:visible');
  const missed = await controls.evaluateAll(nodes => nodes.filter(node => !node.hadFocus).map(node => node.outerHTML));
  assert.deepEqual(missed, [], 'controls that Tab does not reach');
}
