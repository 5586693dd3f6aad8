// Runs the tests of this folder. scripts/browser starts it, with CHROMIUM, CLASSPATH and JAVA_HOME set.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { cors } from './cors.mjs';
import { demoPage } from './page.mjs';
import { session } from './session.mjs';

const TESTS = [cors, demoPage, session];

// Waits until the function returns true.
async function until(condition, what) {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    assert(Date.now() < deadline, `not within 20 s: ${what()}`);
    await sleep(20);
  }
}

// Starts a server of empty pages, and returns its origin.
async function pageServer() {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><link rel="icon" href="data:,">'); // The browser requests no other icon.
  });
  server.unref();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://localhost:${server.address().port}`;
}

// Starts the service with a Redis of its own. No setting of the developer reaches it.
async function startService(settings) {
  const environment = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', PBKDF2_ITERATIONS: '100000', ...settings };
  const options = ['-cp', process.env.CLASSPATH, 'dev.latchkey.testing.DevMain', '--own-redis'];
  const child = spawn(`${process.env.JAVA_HOME}/bin/java`, options, {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill());
  const lines = [];
  createInterface(child.stdout).on('line', line => lines.push(line));
  const port = () => lines.join('\n').match(/listening on http:\/\/localhost:(\d+)/)?.[1];
  await until(port, () => `the service listens\n${lines.join('\n')}`);
  const url = `http://127.0.0.1:${port()}`;
  await until(async () => (await fetch(`${url}/health/ready`)).ok, () => 'the service is ready');
  return { url, lines, pid: child.pid };
}

// Opens an empty page of the origin. The test fails if the page logs other errors than the expected ones.
async function openPage(browser, origin, pages) {
  const page = await (await browser.newContext()).newPage();
  const opened = { page, errors: [], expected: [] };
  page.on('console', message => message.type() === 'error' && opened.errors.push(message.text()));
  page.on('pageerror', error => opened.errors.push(String(error)));
  await page.goto(origin);
  pages.push(opened);
  return opened;
}

async function assertExpectedErrors({ page, errors, expected }) {
  await until(() => errors.length >= expected.length, () => `${expected.length} console errors\n${errors.join('\n')}`);
  const shown = errors.map((error, i) => (error.match(expected[i] ?? /$^/) ? expected[i] : error));
  assert.deepEqual(shown, expected, `console errors of ${page.url()}`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}
const [listed, unlisted] = [await pageServer(), await pageServer()];
const [service, browser] = await Promise.all([
  startService({ CORS_ORIGINS: `https://app.example,${listed}`, DEMO_PAGE: 'true' }),
  chromium.launch({ executablePath: process.env.CHROMIUM, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false }),
]);
console.log(`Chromium ${browser.version()}`);
for (const test of TESTS) {
  const pages = [];
  await test({ service, listed, unlisted, until, open: origin => openPage(browser, origin, pages) });
  for (const page of pages) {
    await assertExpectedErrors(page);
  }
  console.log(`${test.name}: passed`);
}
await browser.close();
process.exit(0);
