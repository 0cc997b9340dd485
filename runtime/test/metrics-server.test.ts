/** What is served to whoever watches a daemon, in clear and over mutual TLS. */
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { createLogger, createMetrics, Gauge, type MetricsListen, openMetricsServer } from '../src/index.ts';
import { authority, type Pair, writeTlsFiles } from './fixtures/authority.ts';

const ours = await authority('ours');
const theirs = await authority('theirs');
const server = await ours.sign('server');
const logger = createLogger({ level: 'silent' });

async function serving(t: Test, at: MetricsListen): Promise<{ url: string; become(why: string | null): void }> {
  const registry = createMetrics({ processMetrics: false });
  new Gauge({ name: 'edgeward_test', help: 'A test.', registers: [registry] }).set(7);
  let why: string | null = null;
  const opened = await openMetricsServer({ at, registry, notReady: () => why, logger });
  t.teardown(() => opened.close());
  return {
    url: opened.url,
    become(now) {
      why = now;
    },
  };
}

function ask(url: string, path: string, who: Pair | null = null): Promise<{ status: number; text: string }> {
  const credentials = who === null ? {} : { cert: who.cert, key: who.key };
  const send = url.startsWith('https:') ? request : plainRequest;
  return new Promise((resolve, reject) => {
    const sent = send(url + path, { ca: ours.cert, agent: false, ...credentials }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

t.test('metrics, life and readiness, and nothing else', async (t) => {
  const { url, become } = await serving(t, { host: '127.0.0.1', port: 0, tls: null });
  t.match(await ask(url, '/metrics'), { status: 200, text: /^edgeward_test 7$/m });
  t.strictSame(await ask(url, '/livez'), { status: 200, text: 'ok\n' });
  t.strictSame(await ask(url, '/readyz'), { status: 200, text: 'ready\n' });
  become('no policy yet');
  t.strictSame(await ask(url, '/readyz'), { status: 503, text: 'no policy yet\n' });
  t.match(await ask(url, '/v1/status'), { status: 404 });
});

t.test('over TLS whoever has a certificate of the authority reads them, and nobody else', async (t) => {
  const tls = writeTlsFiles(t.testdir(), server, ours);
  const { url } = await serving(t, { host: '127.0.0.1', port: 0, tls });
  t.match(url, /^https:/);
  t.match(await ask(url, '/metrics', await ours.sign('prometheus')), { status: 200, text: /edgeward_test 7/ });
  await t.rejects(ask(url, '/metrics'), { code: /TLS|SSL|ECONNRESET/ }, 'no certificate');
  await t.rejects(ask(url, '/metrics', await theirs.sign('prometheus')), 'another authority');
});

t.test('one watcher that keeps every connection it gets shuts out no other', async (t) => {
  const tls = writeTlsFiles(t.testdir(), server, ours);
  const { url } = await serving(t, { host: '127.0.0.1', port: 0, tls });
  const greedy = await ours.sign('greedy');
  const port = Number(new URL(url).port);
  const sockets = Array.from({ length: 64 }, () => connect({ host: '127.0.0.1', port, ca: ours.cert, ...greedy }));
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  // Past its eight each is turned away, once it is known whose it is; until then it takes the place of another.
  let left = sockets.length - 8;
  await new Promise<void>((resolve) => {
    const gone = (): void => {
      left -= 1;
      if (left === 0) resolve();
    };
    for (const socket of sockets)
      socket
        .on('error', () => {})
        .once('close', gone)
        .resume();
  });
  t.match(await ask(url, '/readyz', await ours.sign('prometheus')), { status: 200 });
});

t.test('in clear it listens on loopback alone', async (t) => {
  await t.rejects(serving(t, { host: '0.0.0.0', port: 0, tls: null }), { code: 'EDW_ERR_LISTEN_ADDRESS' });
});
