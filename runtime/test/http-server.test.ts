import { setMaxListeners } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import t, { type Test } from 'tap';
import { createLogger, EdgewardError, type HttpRoute, openHttpServer } from '../src/index.ts';

const silent = createLogger({ level: 'silent' });

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** node:http and not fetch, which forbids setting Host. */
function ask(url: string, path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url + path, { method, headers, agent: false }, async (response) => {
      let text = '';
      try {
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      } catch (thrown) {
        reject(thrown);
      }
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const routes: HttpRoute[] = [
  { method: 'GET', path: '/livez', handle: () => ({ text: 'ok' }) },
  { method: 'GET', path: '/points/:name', handle: ({ params, query }) => ({ json: { ...params, a: query.get('a') } }) },
  { method: 'POST', path: '/echo', token: 's3cret', handle: (request) => ({ status: 201, json: request.json() }) },
  {
    method: 'GET',
    path: '/coded',
    handle: () => {
      throw new EdgewardError('EDW_ERR_BUSY', 'busy', { mend: 'Wait.', retryAfterMs: 1_001 });
    },
  },
  {
    method: 'GET',
    path: '/bug',
    handle: () => {
      throw new Error('the password is hunter2');
    },
  },
];

async function open(t: Pick<Test, 'teardown'>, more: HttpRoute[] = []) {
  const server = await openHttpServer({
    host: 'localhost',
    port: 0,
    routes: [...routes, ...more],
    logger: silent,
    maxBodyBytes: 100,
    statusOf: (error) => (error.code === 'EDW_ERR_BUSY' ? 409 : 500),
  });
  t.teardown(() => server.close());
  return server;
}

t.test('every request gets its answer or a coded error', async (t) => {
  const { url } = await open(t);
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const table: { name: string; path: string; ask?: Ask; status: number; body: string | RegExp }[] = [
    { name: 'text', path: '/livez', status: 200, body: 'ok' },
    { name: 'params', path: '/points/edge%2F1?a=b', status: 200, body: '{"name":"edge/1","a":"b"}\n' },
    { name: 'bad escape', path: '/points/%zz', status: 404, body: /EDW_ERR_HTTP_NOT_FOUND/ },
    { name: 'unknown path', path: '/nothing', status: 404, body: /EDW_ERR_HTTP_NOT_FOUND/ },
    {
      name: 'wrong method',
      path: '/livez',
      ask: { method: 'POST' },
      status: 405,
      body: /EDW_ERR_HTTP_METHOD.*Use GET/,
    },
    { name: 'no token', path: '/echo', ask: { method: 'POST' }, status: 401, body: /EDW_ERR_HTTP_TOKEN/ },
    {
      name: 'wrong token',
      path: '/echo',
      ask: { method: 'POST', headers: bearer('s3cre') },
      status: 401,
      body: /not the right one/,
    },
    {
      name: 'right token',
      path: '/echo',
      ask: { method: 'POST', headers: bearer('s3cret'), body: '{"a":1}' },
      status: 201,
      body: '{"a":1}\n',
    },
    {
      name: 'no JSON',
      path: '/echo',
      ask: { method: 'POST', headers: bearer('s3cret'), body: '{' },
      status: 400,
      body: /EDW_ERR_HTTP_BODY"/,
    },
    {
      name: 'too large',
      path: '/echo',
      ask: { method: 'POST', headers: bearer('s3cret'), body: 'x'.repeat(101) },
      status: 413,
      body: /EDW_ERR_HTTP_BODY_TOO_LARGE/,
    },
    {
      name: 'coded',
      path: '/coded',
      status: 409,
      body: '{"error":{"code":"EDW_ERR_BUSY","message":"busy","mend":"Wait."}}\n',
    },
    { name: 'bug', path: '/bug', status: 500, body: /EDW_ERR_INTERNAL/ },
  ];
  for (const { name, path, ask: asked, status, body } of table) {
    const answer = await ask(url, path, asked);
    t.match(answer, { status, body }, name);
    t.notMatch(answer.body, 'hunter2', `${name}: tells nothing of the inside`);
  }
});

t.test('who may come again is told when, and nobody else', async (t) => {
  const { url } = await open(t);
  t.equal((await ask(url, '/coded')).headers['retry-after'], '2', 'never sooner');
  t.equal((await ask(url, '/bug')).headers['retry-after'], undefined);
});

t.test('a request for another host is refused, whatever address it reached', async (t) => {
  const { url, port } = await open(t);
  const table = [
    { host: `localhost:${port}`, status: 200 },
    { host: '127.0.0.1', status: 200 },
    { host: '127.9.9.9:1', status: 200 },
    { host: `[::1]:${port}`, status: 200 },
    { host: 'evil.example', status: 421 },
    { host: '127.0.0.1.evil.example', status: 421 },
    { host: 'localhost.evil.example:80', status: 421 },
    { host: '10.0.0.1', status: 421 },
    { host: 'nonsense', status: 421 },
  ];
  for (const { host, status } of table) t.equal((await ask(url, '/livez', { headers: { host } })).status, status, host);
});

t.test('only a loopback address is bound', async (t) => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '']) {
    const opening = openHttpServer({ host, port: 0, routes, logger: silent });
    await t.rejects(opening, { code: 'EDW_ERR_LISTEN_ADDRESS', mend: /127\.0\.0\.1/ }, host || 'empty');
  }
});

t.test('a port in use is named, with the way to find who has it', async (t) => {
  const { port } = await open(t);
  const opening = openHttpServer({ host: '127.0.0.1', port, routes, logger: silent });
  await t.rejects(opening, { code: 'EDW_ERR_PORT_IN_USE', mend: new RegExp(`sport = :${port}`) });
});

t.test('lines are sent as they come, and a stream ends when the server closes', async (t) => {
  let ended = false;
  async function* live(signal: AbortSignal): AsyncGenerator<unknown> {
    try {
      yield { n: 1 };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    } finally {
      ended = true;
    }
  }
  const stream: HttpRoute = { method: 'GET', path: '/live', handle: ({ signal }) => ({ ndjson: live(signal) }) };
  const list: HttpRoute = { method: 'GET', path: '/list', handle: () => ({ ndjson: [1, 'two'] }) };
  const server = await open(t, [stream, list]);
  t.equal((await ask(server.url, '/list')).body, '1\n"two"\n');
  const response = await fetch(`${server.url}/live`);
  const reader = response.body?.getReader();
  t.equal(new TextDecoder().decode((await reader?.read())?.value), '{"n":1}\n');
  await server.close();
  t.equal((await reader?.read())?.done, true);
  t.equal(ended, true);
});

t.test('a client that goes away ends its stream', async (t) => {
  let told: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    told = resolve;
  });
  async function* live(signal: AbortSignal): AsyncGenerator<unknown> {
    signal.addEventListener('abort', () => told());
    for (let n = 0; n < 100_000 && !signal.aborted; n += 1) yield 'x'.repeat(10_000);
  }
  const server = await open(t, [{ method: 'GET', path: '/live', handle: ({ signal }) => ({ ndjson: live(signal) }) }]);
  const client = new AbortController();
  setMaxListeners(0, client.signal);
  const response = await fetch(`${server.url}/live`, { signal: client.signal });
  await response.body?.getReader().read();
  client.abort();
  await left;
});

t.test('a stream that fails half-way is cut, so that nobody takes it for whole', async (t) => {
  function* broken(): Generator<unknown> {
    yield 1;
    throw new Error('broken');
  }
  const server = await open(t, [{ method: 'GET', path: '/live', handle: () => ({ ndjson: broken() }) }]);
  await t.rejects(ask(server.url, '/live'));
});
