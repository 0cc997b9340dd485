/**
 * Requests that try to be read in two ways, as raw bytes on a real NGINX before a real upstream. None gets a 200 that the
 * oracle would not give; what comes to the hook and is denied leaves exactly one line, and never reaches the upstream.
 */
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import {
  compileDocuments,
  type Edge,
  type OnNginx,
  onEveryNginx,
  rawRequest,
  startUpstream,
  type Upstream,
} from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { oracle } from '../../policy/test/oracle/oracle.ts';
import { type Hostile, hostileHeaders, hostileRequests, hostileTargets } from './fixtures/hostile-requests.ts';

const NOW = '2026-11-22T00:00:00Z';

const front = (name: string, more: object): object => ({
  kind: 'VirtualServer',
  name,
  labels: { app: 'shop' },
  point: 'edge-1',
  bind: name,
  ports: ['tcp/443'],
  mode: 'enforce',
  ...more,
});

const documents = [
  front('order-front', {}),
  front('trusting-front', { trustedProxies: ['127.0.0.1', '10.9.0.0/16'] }),
  {
    kind: 'Policy',
    name: 'shop',
    rules: [
      {
        id: 'orders',
        from: [{ cidr: '127.0.0.1' }, { cidr: '203.0.113.0/24' }],
        to: "app == 'shop'",
        http: [{ methods: ['GET', 'HEAD'], path: '/v1/orders/*', hosts: ['shop.example'] }],
      },
      {
        id: 'no-admin',
        from: [{ any: true }],
        to: "app == 'shop'",
        http: [{ path: '/v1/orders/admin/*' }],
        action: 'deny',
      },
    ],
  },
];

const claim = await onEveryNginx(t);
const policy: CompiledPolicy = compileDocuments(documents, { revision: 7, now: NOW });

interface Stand {
  edge: Edge;
  upstream: Upstream;
  refuses(hostile: Hostile): boolean;
}

async function startStand(t: Test, on: OnNginx): Promise<Stand> {
  const upstream = await startUpstream(t);
  const edge = await on.startEdge(t, {
    servers: [
      { name: 'order-front', upstream: upstream.url },
      { name: 'trusting-front', upstream: upstream.url },
      { name: 'local-front', bind: 'order-front' },
    ],
  });
  await edge.point().apply(policy);
  const refuses = ({ refused }: Hostile): boolean =>
    refused === true || (refused === '1.30' && !edge.binary.nginxVersion.startsWith('1.26.'));
  return { edge, upstream, refuses };
}

const tables: [string, Hostile[]][] = [
  ['targets', hostileTargets],
  ['hosts, methods and request lines', hostileRequests],
  ['headers', hostileHeaders],
];

for (const [what, table] of tables) {
  claim(`hostile ${what}: a 200 only where the oracle allows, one line for each denial`, async (t, on) => {
    const stand = await startStand(t, on);
    const seen: Record<string, number> = {};
    for (const hostile of table) {
      const outcome = await prove(t, stand, hostile);
      seen[outcome] = (seen[outcome] ?? 0) + 1;
    }
    t.comment(JSON.stringify(seen));
    t.ok(
      (seen['200'] ?? 0) > 0 && (seen['403'] ?? 0) > 0,
      'some are harmless and some are not, or this proves nothing',
    );
  });
}

claim('what is too long for a line is cut and says so', async (t, on) => {
  const { edge } = await startStand(t, on);
  const target = `/v2/${'a'.repeat(8000)}`;
  await ask(edge, { name: 'long', target });
  const last = (await edge.denials()).at(-1);
  t.match(last, { truncated: true, path: target.slice(0, 1024), reason: 'request-not-allowed' });
});

async function ask(edge: Edge, hostile: Hostile): ReturnType<typeof rawRequest> {
  const port = edge.ports[hostile.server ?? 'order-front'] ?? 0;
  return rawRequest({ port, bytes: bytesOf(hostile) });
}

async function prove(t: Test, { edge, upstream, refuses }: Stand, hostile: Hostile): Promise<string> {
  const { name } = hostile;
  const [before, reached] = [await edge.denials(), upstream.requests()];
  const answer = await ask(edge, hostile);
  const events = (await edge.denials()).slice(before.length);
  const expect = oracle(documents, NOW, flowOf(hostile));
  if (answer.status === 200) {
    const more = hostile.server === 'local-front' ? 0 : 1;
    t.strictSame([expect.verdict, events, upstream.requests()], ['allow', [], reached + more], `${name}: allowed`);
    return '200';
  }
  t.ok(upstream.requests() === reached, `${name}: the upstream never saw it`);
  if (answer.headers['edgeward-ref'] === undefined) {
    t.strictSame(events, [], `${name}: refused by NGINX itself (${answer.status}), no event`);
    t.ok([400, 405, 414, 505].includes(answer.status), `${name}: ${answer.status}`);
    t.ok(refuses(hostile), `${name}: refused by NGINX as the table says`);
    return String(answer.status);
  }
  const { reason, rule } = expect;
  const ref = answer.headers['edgeward-ref'];
  t.strictSame([answer.status, events.length, expect.verdict], [403, 1, 'deny'], `${name}: one event`);
  t.match(events[0], { ref, reason, rule, revision: 7, verdict: 'deny', peer: '127.0.0.1' }, `${name}: ${reason}`);
  t.notOk(refuses(hostile), `${name}: came to the hook as the table says`);
  return '403';
}

function bytesOf(hostile: Hostile): Uint8Array {
  const { method = 'GET', target = '/v1/orders/7', version = ' HTTP/1.1', headers = [] } = hostile;
  const hosts = (hostile.hosts ?? ['shop.example']).map((host) => `Host: ${host}`);
  const tail = [...hosts, ...headers, 'Connection: close'].map((line) => `${line}\r\n`).join('');
  const line = [Buffer.from(`${method} `), bytes(target), Buffer.from(`${version}\r\n`)];
  return Buffer.concat([...line, Buffer.from(tail, 'latin1'), Buffer.from('\r\n')]);
}

const bytes = (target: string | Uint8Array): Uint8Array =>
  typeof target === 'string' ? Buffer.from(target, 'utf8') : target;

/** What the bytes say, for the oracle. Bytes beyond ASCII are written as escapes: a flow is text. */
function flowOf(hostile: Hostile): Flow {
  const { method = 'GET', target = '/v1/orders/7', hosts = ['shop.example'] } = hostile;
  const path = [...bytes(target)]
    .map((byte) => (byte < 128 ? String.fromCharCode(byte) : `%${byte.toString(16)}`))
    .join('');
  const forwarded = (hostile.headers ?? []).filter((line) => /^X-Forwarded-For:/i.test(line));
  return {
    from: '127.0.0.1',
    to: hostile.server === 'trusting-front' ? 'trusting-front' : 'order-front',
    port: 'tcp/443',
    method: method.trim(),
    path,
    ...(hosts.length === 0 ? {} : { host: hosts.length === 1 ? (hosts[0] ?? '') : hosts }),
    ...(forwarded.length === 0
      ? {}
      : { forwardedFor: forwarded.map((line) => line.replace(/^[^:]*: ?/, '')).join(', ') }),
  };
}
