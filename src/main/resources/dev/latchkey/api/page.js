// The page of DEMO_PAGE=true. Text is only set as text, never as HTML. Tokens are only kept in variables.
const HEADERS = ['WWW-Authenticate', 'Retry-After', 'ETag', 'Location'];
const byId = id => document.getElementById(id);
const sleep = millis => new Promise(resolve => setTimeout(resolve, millis));
const clock = seconds => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
const date = text => new Date(text).toLocaleString();

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function button(text, onclick) {
  return element('button', { type: 'button', textContent: text, onclick });
}

function curl(method, path, headers, body) {
  const quote = text => `'${text.replaceAll("'", "'\\''")}'`;
  const options = Object.entries(headers).map(([name, value]) => ` -H ${quote(`${name}: ${value}`)}`);
  const data = body ? ` -d ${quote(body)}` : '';
  return `curl -i -X ${method}${options.join('')}${data} ${quote(new URL(path, document.baseURI).href)}`;
}

// Shows a request in the output, in place of the last one. The secrets are hidden until a click.
function showRequest(output, command, secrets) {
  const texts = [];
  let hidden = true;
  const render = ({ node, text }) => {
    const shown = secrets.filter(Boolean).reduce((rest, secret) => rest.replaceAll(secret, '••••••••'), text);
    node.textContent = hidden ? shown : text;
  };
  const add = (node, text) => {
    texts.push({ node, text });
    render(texts.at(-1));
    return node;
  };
  const reveal = button('Show secrets', () => {
    hidden = !hidden;
    reveal.textContent = hidden ? 'Show secrets' : 'Hide secrets';
    texts.forEach(render);
  });
  const copy = button('Copy', async () => {
    await navigator.clipboard.writeText(command);
    announce('Copied');
  });
  copy.hidden = !navigator.clipboard; // Browsers have no clipboard for pages without TLS, except on localhost.
  reveal.hidden = !secrets.some(Boolean);
  const exchange = element('article', { className: 'exchange' });
  exchange.append(add(element('code', { className: 'command' }), command), element('p', { className: 'buttons' }, copy, reveal));
  output.replaceChildren(exchange);
  return { exchange, add, secrets };
}

function announce(text) {
  byId('live').textContent = text;
}

// Shows the seconds until zero. Reports whether the output still shows the exchange.
async function countDown(seconds, label, exchange) {
  const note = element('p', { className: 'countdown' });
  exchange.append(note);
  for (let left = seconds; left > 0 && exchange.isConnected; left--) {
    note.textContent = `${label} ${clock(left)}`;
    await sleep(1000);
  }
  note.remove();
  return exchange.isConnected;
}

// Sends a request, and shows it and its response. After a 503, it is repeated until another request takes its place.
async function send(output, method, path, { token, body, headers: more = {} } = {}) {
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { 'Content-Type': 'application/json' }), ...more };
  const json = body && JSON.stringify(body);
  const passwords = Object.entries(body ?? {}).filter(([name]) => /password/i.test(name)).map(([, value]) => value);
  const { exchange, add, secrets } = showRequest(output, curl(method, path, headers, json), [token, ...passwords]);
  const begin = performance.now();
  let response;
  let text = '';
  try {
    response = await fetch(path, { method, headers, body: json, cache: 'no-store', credentials: 'omit' });
    text = await response.text();
  } catch {
    exchange.append(element('p', { className: 'status bad', textContent: 'No response: the service cannot be reached.' }));
    announce('No response');
    return { status: 0, body: {} };
  }
  const { status, statusText } = response;
  const answer = text && /json/.test(response.headers.get('Content-Type')) ? JSON.parse(text) : {};
  secrets.push(answer.token);
  exchange.append(element('p', { className: `status ${response.ok ? 'good' : 'bad'}` },
    element('strong', { textContent: `${status} ${statusText}` }), ` ${Math.round(performance.now() - begin)} ms`));
  const shown = HEADERS.filter(name => response.headers.has(name)).map(name => `${name}: ${response.headers.get(name)}`);
  if (shown.length || text) {
    const pretty = text ? JSON.stringify(answer, null, 1) : '';
    exchange.append(add(element('pre', { tabIndex: 0 }), [...shown, pretty].filter(Boolean).join('\n')));
  }
  announce(`${method} ${path}: ${status} ${statusText}`);
  const seconds = Number(response.headers.get('Retry-After'));
  if (status === 503) {
    return await countDown(seconds, 'Repeated in', exchange) ? send(output, method, path, { token, body, headers: more }) : { status, body: {} };
  }
  if (status === 429) {
    countDown(seconds, 'Allowed again in', exchange);
  }
  return { status, body: answer, etag: response.headers.get('ETag'), isEnded: /invalid_token/.test(response.headers.get('WWW-Authenticate')) };
}

class Device {
  constructor(side) {
    this.root = byId('device').content.cloneNode(true).firstElementChild;
    this.name = `${side} device`;
    const heading = this.find('h2');
    heading.textContent = this.name;
    heading.id = side.toLowerCase();
    this.root.setAttribute('aria-labelledby', heading.id);
    for (const node of this.root.querySelectorAll('[data-action]')) {
      const output = node.closest('section').querySelector('.output');
      const act = () => this[node.dataset.action](output, node);
      node.addEventListener(node.tagName === 'FORM' ? 'submit' : 'click', event => event.preventDefault() || act());
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
    if (answer.isEnded && token === this.token) {
      this.end('Token refused');
    }
    return answer;
  }

  begin({ token, expiresDate, username = this.username }) {
    Object.assign(this, { token, username, expires: new Date(expiresDate), isShown: false });
    this.show(`Logged in as ${username}`, true);
  }

  // Keeps the token, so that it can be seen to be refused.
  end(state) {
    this.expires = undefined;
    this.show(state, false);
  }

  show(state, isValid) {
    this.root.classList.toggle('valid', isValid);
    this.root.classList.toggle('ended', !isValid);
    this.find('.state').textContent = state;
    this.showToken();
    this.showExpiry();
  }

  showToken() {
    this.find('.value').textContent = this.isShown ? this.token : '•'.repeat(12);
    const reveal = this.find('[data-action=reveal]');
    reveal.textContent = this.isShown ? 'Hide token' : 'Show token';
    reveal.hidden = !this.token;
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
    const answer = await send(output, 'POST', 'api/auth/login', { body });
    if (answer.status === 200) {
      this.begin(answer.body);
      await Promise.all(devices.filter(device => device.username === this.username && device.expires).map(device => device.sessions()));
    }
  }

  me(output) {
    return this.send(output, 'GET', 'api/auth/me');
  }

  async refresh(output) {
    const { status, body } = await this.send(output, 'POST', 'api/auth/refresh');
    if (status === 200) {
      this.begin(body);
    }
  }

  async logout(output) {
    const { status } = await this.send(output, 'POST', 'api/auth/logout');
    if (status === 204) {
      this.end('Logged out');
    }
  }

  async logoutEverywhere(output) {
    const { status } = await this.send(output, 'DELETE', 'api/auth/sessions');
    if (status === 204) {
      this.end('Logged out everywhere');
    }
  }

  async changePassword(output, form) {
    const { status, body } = await this.send(output, 'PUT', 'api/auth/password', { body: Object.fromEntries(new FormData(form)) });
    if (status === 200) {
      byId('credentials').password.value = form.newPassword.value;
      form.reset();
      this.begin(body);
    }
  }

  async sessions() {
    const list = this.find('.sessions');
    const output = list.nextElementSibling;
    const { status, body } = await this.send(output, 'GET', 'api/auth/sessions');
    if (status !== 200) {
      return;
    }
    this.session = body.sessions.find(session => session.current)?.id;
    list.replaceChildren(...body.sessions.map(session => {
      const owner = devices.find(device => device.session === session.id);
      const end = button('End', async () => {
        const answer = await this.send(output, 'DELETE', `api/auth/sessions/${session.id}`);
        if (answer.status === 204) {
          item.remove();
          announce(`The session of the ${name} has ended`);
        }
      });
      const name = owner ? owner.name.toLowerCase() : 'other device';
      end.setAttribute('aria-label', `End the session of the ${name}`);
      const item = element('li', {}, element('div', {},
        element('strong', { textContent: session.current ? `${owner.name}, this one` : owner?.name ?? 'Other device' }),
        element('span', { textContent: `${session.address}, ${session.userAgent}` }),
        element('span', { textContent: `created ${date(session.createdDate)}, expires ${date(session.expiresDate)}` })), end);
      return item;
    }));
  }

  async todos() {
    const list = this.find('.todos');
    const { status, body } = await this.send(list.nextElementSibling, 'GET', 'api/todos');
    if (status === 200) {
      list.replaceChildren(...body.todos.map(todo => this.todo(todo)));
    }
  }

  async addTodo(output, form) {
    const { status, body } = await this.send(output, 'POST', 'api/todos', { body: { name: form.name.value } });
    if (status === 201) {
      form.reset();
      this.find('.todos').append(this.todo(body));
    }
  }

  todo({ id, name, status }) {
    const output = this.find('.todos').nextElementSibling;
    const path = `api/todos/${id}`;
    const change = async options => {
      const answer = await this.send(output, 'PATCH', path, options);
      if (answer.status === 200) {
        item.replaceWith(this.todo(answer.body));
      }
    };
    const done = element('input', { type: 'checkbox', checked: status === 'complete' });
    done.onchange = () => change({ body: { status: done.checked ? 'complete' : 'todo' } });
    const edit = button('Edit', async () => {
      const answer = await this.send(output, 'GET', path);
      if (answer.status !== 200) {
        return;
      }
      const input = element('input', { value: answer.body.name, maxLength: 200, required: true });
      const form = element('form', {}, element('label', {}, 'Name ', input), element('button', { textContent: 'Save' }));
      form.onsubmit = event => {
        event.preventDefault();
        change({ body: { name: input.value }, headers: { 'If-Match': answer.etag } });
      };
      item.replaceChildren(form);
      input.focus();
    });
    const remove = button('Delete', async () => {
      const answer = await this.send(output, 'DELETE', path);
      if (answer.status === 204) {
        item.remove();
      }
    });
    edit.setAttribute('aria-label', `Edit ${name}`);
    remove.setAttribute('aria-label', `Delete ${name}`);
    const item = element('li', {}, element('label', {}, done, element('span', { textContent: name })), edit, remove);
    return item;
  }
}

const devices = [new Device('Left'), new Device('Right')];
const [left, right] = devices;
const credentials = byId('credentials');
const output = credentials.parentElement.querySelector('.output');
const random = bytes => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), byte => byte.toString(16).padStart(2, '0')).join('');
credentials.username.value = `demo-${random(3)}`;
credentials.password.value = random(8);

credentials.addEventListener('submit', event => {
  event.preventDefault();
  const body = Object.fromEntries(new FormData(credentials));
  const device = { left, right }[event.submitter?.value];
  device ? device.login(output, body) : send(output, 'POST', 'api/auth/register', { body });
});
byId('race').onclick = () => {
  const [from, to] = left.token ? [left, right] : [right, left];
  to.begin({ token: from.token, expiresDate: from.expires, username: from.username });
  return Promise.all(devices.map(device => device.refresh(device.find('.output'))));
};
byId('guess').onclick = async () => {
  for (let i = 1, status = 401; i <= 11 && status === 401; i++) {
    const body = { username: credentials.username.value, password: `wrong password ${i}` };
    ({ status } = await send(output, 'POST', 'api/auth/login', { body }));
  }
};
