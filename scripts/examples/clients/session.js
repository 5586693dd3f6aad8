// The session of a web page, shared by all tabs of its origin: const session = new Session('https://latchkey.example').
// The token is only in memory. Tabs pass it to each other, and only one of them refreshes it.
export class Session {
  #url;
  #current; // { token, refreshAt }, or undefined if nobody is logged in
  #tabs = new BroadcastChannel('latchkey');

  constructor(url) {
    this.#url = url;
    this.#tabs.onmessage = ({ data }) => data === 'ask' ? this.#current && this.#share(this.#current) : (this.#current = data);
    this.#tabs.postMessage('ask');
  }

  async login(username, password) {
    const response = await this.#send('/api/auth/login', undefined, { method: 'POST', json: { username, password } });
    return response.ok ? this.#begin(response) : response.json(); // a problem, whose code says what to show
  }

  // Does what fetch does, with the token. A 401 with the code invalid_token means that the session has ended.
  async fetch(path, options) {
    if (Date.now() > this.#current?.refreshAt) {
      await this.#refresh(this.#current.token);
    }
    const token = this.#current?.token;
    const response = await this.#send(path, token, options);
    if (!token || !/invalid_token/.test(response.headers.get('WWW-Authenticate'))) return response;
    await this.#refresh(token); // another tab may have done so while the request was on its way
    return this.#current ? this.#send(path, this.#current.token, options) : response;
  }

  async logout() {
    const { status } = await this.fetch('/api/auth/logout', { method: 'POST' });
    return status < 500 && this.#share(undefined); // after a 503, the session has not ended
  }

  #refresh(old) {
    return navigator.locks.request('latchkey-refresh', async () => {
      const isFirst = this.#current?.token === old; // no other request or tab was faster
      const response = isFirst && await this.#send('/api/auth/refresh', old, { method: 'POST' });
      for (let i = 0; response.status === 401 && this.#current?.token === old; i++) {
        await new Promise(resolve => setTimeout(resolve, 50)); // the message of a tab that was faster may be on its way
        if (i === 20) this.#share(undefined);
      }
      return response.ok && this.#begin(response); // after a 503, the old token is good
    });
  }

  async #begin(response) {
    const { token, expiresDate } = await response.json();
    const lifetime = Date.parse(expiresDate) - Date.parse(response.headers.get('Date')); // both from the clock of the service
    this.#share({ token, refreshAt: Date.now() + lifetime / 2 });
  }

  #share = current => this.#tabs.postMessage(this.#current = current);

  #send(path, token, { json, headers, ...options } = {}) {
    const all = { ...headers, ...(token && { Authorization: `Bearer ${token}` }), ...(json && { 'Content-Type': 'application/json' }) };
    return fetch(this.#url + path, { ...options, headers: all, ...(json && { body: JSON.stringify(json) }) });
  }
}
