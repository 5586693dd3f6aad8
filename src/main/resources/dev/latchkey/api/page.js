// The page of DEMO_PAGE=true. Text is only set as text, never as HTML. Tokens are only kept in variables.
const HEADERS = ['WWW-Authenticate', 'Retry-After', 'ETag', 'Location'];
const byId = id => document.getElementById(id);
const sleep = millis => new Promise(resolve => setTimeout(resolve, millis));
const clock = seconds => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
const random = bytes => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), byte => byte.toString(16).padStart(2, '0')).join('');
const button = (textContent, onclick, label = textContent) => element('button', { type: 'button', textContent, onclick, ariaLabel: label });

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function announce(text) {
  byId('live').textContent = text;
}

const quoted = text => text.replaceAll("'", "'\\''");

function curl(method, path, headers, body) {
  const quote = text => `'${quoted(text)}'`;
  const options = Object.entries(headers).map(([name, value]) => ` -H ${quote(`${name}: ${value}`)}`);
  return `curl -i -X ${method}${options.join('')}${body ? ` -d ${quote(body)}` : ''} ${quote(new URL(path, document.baseURI).href)}`;
}

// A request and its response, in place of the last one of this output. Secrets are hidden until a click.
class Exchange {
  constructor(output, command, secrets) {
    Object.assign(this, { texts: [], secrets, hidden: true });
    this.reveal = button('Show secrets', () => {
      this.hidden = !this.hidden;
      this.reveal.ariaLabel = this.reveal.textContent = this.hidden ? 'Show secrets' : 'Hide secrets';
      this.texts.forEach(text => this.render(text));
    });
    const copy = button('Copy', () => navigator.clipboard.writeText(command).then(() => announce('Copied')));
    copy.hidden = !navigator.clipboard; // which browsers only have for pages with TLS, and for localhost
    this.root = element('article', { className: 'exchange' });
    this.add(element('code', {}), command);
    this.root.append(element('p', { className: 'buttons' }, copy, this.reveal));
    output.replaceChildren(this.root);
  }

  add(node, text) {
    this.texts.push([node, text]);
    this.render([node, text]);
    this.root.append(node);
  }

  render([node, text]) {
    const secrets = this.secrets.filter(Boolean);
    this.reveal.hidden = !secrets.length;
    node.textContent = this.hidden ? secrets.reduce((rest, secret) => rest.replaceAll(secret, '••••••••'), text) : text;
  }

  status(className, text, more = '') {
    this.root.append(element('p', { className: `status ${className}` }, element('strong', { textContent: text }), more));
    announce(text);
  }

  // Reports whether this exchange is still shown at the end.
  async countDown(seconds, label) {
    const note = element('p', { className: 'countdown' });
    this.root.append(note);
    for (let left = seconds; left > 0 && this.root.isConnected; left--) {
      note.textContent = `${label} ${clock(left)}`;
      await sleep(1000);
    }
    note.remove();
    return this.root.isConnected;
  }
}

// Sends a request, and shows it and its response. After a 503, it is repeated until another request takes its place.
async function send(output, method, path, { token, body, etag } = {}) {
  const json = body && JSON.stringify(body);
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(json && { 'Content-Type': 'application/json' }), ...(etag && { 'If-Match': etag }) };
  const passwords = Object.entries(body ?? {}).filter(([name]) => /password/i.test(name))
    .flatMap(([, value]) => [quoted(JSON.stringify(value).slice(1, -1)), value]); // as in the command, and as in a response
  const exchange = new Exchange(output, curl(method, path, headers, json), [token, ...passwords]);
  const begin = performance.now();
  try {
    const response = await fetch(path, { method, headers, body: json, cache: 'no-store', credentials: 'omit' });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : {};
    const { status, statusText } = response;
    exchange.secrets.push(answer.token);
    exchange.status(response.ok ? 'good' : 'bad', `${status} ${statusText}`, ` ${Math.round(performance.now() - begin)} ms`);
    const lines = HEADERS.filter(name => response.headers.has(name)).map(name => `${name}: ${response.headers.get(name)}`);
    lines.push(...(text ? [JSON.stringify(answer, null, 1)] : []));
    if (lines.length) {
      exchange.add(element('pre', { tabIndex: 0 }), lines.join('\n'));
    }
    const seconds = Number(response.headers.get('Retry-After'));
    if (status === 503 && await exchange.countDown(seconds, 'Repeated in')) {
      return send(output, method, path, { token, body, etag });
    }
    if (status === 429) {
      exchange.countDown(seconds, 'Allowed again in');
    }
    return { status, body: answer, etag: response.headers.get('ETag'), challenge: response.headers.get('WWW-Authenticate') };
  } catch {
    exchange.status('bad', 'No response: the service cannot be reached.');
    return { status: 0, body: {} };
  }
}

class Device {
  constructor(side) {
    this.name = `${side} device`;
    this.root = byId('device').content.cloneNode(true).firstElementChild;
    Object.assign(this.find('h2'), { textContent: this.name, id: side });
    this.root.setAttribute('aria-labelledby', side);
    for (const node of this.root.querySelectorAll('[data-action]')) {
      const output = node.closest('section').querySelector('.output');
      node.addEventListener(node.tagName === 'FORM' ? 'submit' : 'click', event => {
        event.preventDefault();
        this[node.dataset.action](output, node);
      });
    }
    setInterval(() => this.showExpiry(), 1000);
    byId('devices').append(this.root);
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  async send(output, method, path, options) {
    const token = this.token;
    const answer = await send(output, method, path, { token, ...options });
    if (answer.body.token) {
      this.begin(answer.body);
    } else if (token === this.token && /invalid_token/.test(answer.challenge)) {
      this.end('Token refused');
    }
    return answer;
  }

  begin({ token, expiresDate, username = this.username }) {
    Object.assign(this, { token, username, expires: new Date(expiresDate), isShown: false });
    this.show(`Logged in as ${username}`, 'valid');
  }

  // Keeps the token, so that it can be seen to be refused.
  end(state) {
    this.expires = undefined;
    this.show(state, 'ended');
  }

  show(state, className) {
    this.root.className = `card device ${className}`;
    this.find('.state').textContent = state;
    this.showToken();
    this.showExpiry();
  }

  showToken() {
    const text = this.isShown ? 'Hide token' : 'Show token';
    Object.assign(this.find('[data-action=reveal]'), { textContent: text, hidden: !this.token });
    this.find('.value').textContent = this.isShown ? this.token : '•'.repeat(12);
  }

  showExpiry() {
    const seconds = Math.round((this.expires - Date.now()) / 1000);
    this.find('.expiry').textContent = !this.expires ? '' : seconds > 0 ? `expires in ${clock(seconds)}` : 'expired';
  }

  reveal() {
    this.isShown = !this.isShown;
    this.showToken();
  }

  async login(output, body) {
    const { status } = await this.send(output, 'POST', 'api/auth/login', { body });
    if (status === 200) {
      await this.sessions(); // so that this device knows its own session
      await Promise.all(devices.filter(other => other !== this && other.username === this.username && other.expires).map(other => other.sessions()));
    }
  }

  me(output) {
    return this.send(output, 'GET', 'api/auth/me');
  }

  refresh(output) {
    return this.send(output, 'POST', 'api/auth/refresh');
  }

  async logout(output, node, path = 'api/auth/logout', method = 'POST') {
    const { status } = await this.send(output, method, path);
    if (status === 204) {
      this.end(node.textContent.replace('Log', 'Logged'));
    }
  }

  logoutEverywhere(output, node) {
    return this.logout(output, node, 'api/auth/sessions', 'DELETE');
  }

  async changePassword(output, form) {
    const { status } = await this.send(output, 'PUT', 'api/auth/password', { body: Object.fromEntries(new FormData(form)) });
    if (status === 200) {
      credentials.password.value = form.newPassword.value;
      form.reset();
    }
  }

  // Deletes what the item shows. The focus moves to the first button of its section, because the item's one is gone.
  async remove(item, path) {
    const section = item.closest('section');
    const { status } = await this.send(section.querySelector('.output'), 'DELETE', path);
    if (status === 204) {
      item.remove();
      section.querySelector('button').focus();
    }
  }

  async sessions() {
    const list = this.find('.sessions');
    const { status, body } = await this.send(list.nextElementSibling, 'GET', 'api/auth/sessions');
    if (status === 200) {
      this.session = body.sessions.find(session => session.current)?.id;
      list.replaceChildren(...body.sessions.map(session => this.sessionItem(session)));
    }
  }

  // A login of its own, whose token is only shown: this device keeps the one that it has.
  async issue(output, form) {
    const body = { ...Object.fromEntries(new FormData(credentials)), name: form.name.value, expiresIn: form.days.value * 86400 };
    const { status } = await send(output, 'POST', 'api/auth/login', { body });
    if (status === 200) {
      form.reset();
      await (this.expires && this.sessions());
    }
  }

  sessionItem({ id, name: machine = 'Another device', current, address, userAgent, createdDate, expiresDate }) {
    const date = text => new Date(text).toLocaleTimeString();
    const name = devices.find(device => device.session === id)?.name ?? machine;
    return element('li', {},
      element('div', {}, element('strong', { textContent: current ? `${name}, this one` : name }),
        element('span', { textContent: `${address}, created ${date(createdDate)}, expires ${date(expiresDate)}` }),
        element('span', { textContent: userAgent, title: userAgent })),
      button('End', event => this.remove(event.target.closest('li'), `api/auth/sessions/${id}`), `End the session of ${name}`));
  }

  async todos(output) {
    const { status, body } = await this.send(output, 'GET', 'api/todos');
    if (status === 200) {
      this.find('.todos').replaceChildren(...body.todos.map(todo => this.todoItem(todo)));
    }
  }

  async addTodo(output, form) {
    const { status, body } = await this.send(output, 'POST', 'api/todos', { body: { name: form.name.value } });
    if (status === 201) {
      form.reset();
      this.find('.todos').append(this.todoItem(body));
    }
  }

  todoItem({ id, name, status }) {
    const path = `api/todos/${id}`;
    const output = this.find('.todos').nextElementSibling;
    const change = async (body, etag) => {
      const answer = await this.send(output, 'PATCH', path, { body, etag });
      if (answer.status === 200) {
        const changed = this.todoItem(answer.body);
        item.replaceWith(changed);
        changed.querySelector('input').focus();
      }
    };
    const edit = async () => {
      const answer = await this.send(output, 'GET', path);
      if (answer.status === 200) {
        const input = element('input', { value: answer.body.name, maxLength: 200, required: true });
        const form = element('form', {}, element('label', {}, 'Name ', input), element('button', { textContent: 'Save' }));
        form.onsubmit = event => event.preventDefault() ?? change({ name: input.value }, answer.etag);
        item.replaceChildren(form);
        input.focus();
      }
    };
    const done = element('input', { type: 'checkbox', checked: status === 'complete' });
    done.onchange = () => change({ status: done.checked ? 'complete' : 'todo' });
    const item = element('li', {}, element('label', {}, done, element('span', { textContent: name })),
      button('Edit', edit, `Edit ${name}`), button('Delete', () => this.remove(item, path), `Delete ${name}`));
    return item;
  }
}

// The back/forward cache would bring the tokens back.
window.addEventListener('pageshow', event => event.persisted && location.reload());

const credentials = byId('credentials');
const output = credentials.parentElement.querySelector('.output');
const devices = [new Device('Left'), new Device('Right')];
const [left, right] = devices;
credentials.username.value = `demo-${random(3)}`;
credentials.password.value = random(8);

credentials.onsubmit = event => {
  event.preventDefault();
  const body = Object.fromEntries(new FormData(credentials));
  const device = { left, right }[event.submitter?.value];
  return device ? device.login(output, body) : send(output, 'POST', 'api/auth/register', { body });
};
byId('race').onclick = () => {
  const [from, to] = left.expires ? [left, right] : [right, left];
  if (from.expires) {
    to.begin({ token: from.token, expiresDate: from.expires, username: from.username });
  }
  return Promise.all(devices.map(device => device.refresh(device.find('.output'))));
};
byId('guess').onclick = async () => {
  for (let i = 1, status = 401; i <= 11 && status === 401; i++) {
    const body = { username: credentials.username.value, password: `wrong password ${i}` };
    ({ status } = await send(output, 'POST', 'api/auth/login', { body }));
  }
};
