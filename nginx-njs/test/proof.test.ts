/** Proofs on a real NGINX: what the hook says of a synthetic flow, that it refuses it, and that nobody else gains by it. */
import { join } from 'node:path';
import {
  type Edge,
  freePort,
  type OnNginx,
  onEveryNginx,
  pushCall,
  rawRequest,
  startUpstream,
  testCertificates,
} from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { namesUnder } from '../driver/entry-names.ts';
import type { NginxPoint, ProofQuestion } from '../driver/index.ts';
import { ask, eventually, statusOf } from './fixtures/asking.ts';
import { smallPolicy } from './fixtures/policies.ts';
import { tamperWith } from './fixtures/tampering.ts';

const ALLOWED = '203.0.113.7';
const DENIED = '192.0.2.1';
const ID = '0123456789abcdef0123456789abcdef';

const claim = await onEveryNginx(t);

const from = (source: string, request: Partial<ProofQuestion> = {}): ProofQuestion => ({
  from: source,
  method: 'GET',
  path: '/',
  host: null,
  ...request,
});

/** What is told of traffic: NGINX's own totals, and lines of the deny log. */
async function told(edge: Edge, point: NginxPoint): Promise<unknown> {
  return { counts: (await point.counts()).counts.toSorted(), lines: (await edge.denials()).length };
}

const lay = async (edge: Edge, id = ID): Promise<boolean> => {
  const question = { id, peer: 'cb007107', method: 'GET', path: '/', host: null };
  const { status, body } = await edge.push({ method: 'POST', call: 'prove', body: JSON.stringify(question) });
  if (status !== 200) throw new Error(`the question was refused with ${status}`);
  return (body as { laid: boolean }).laid;
};
const marked = (id: string): { headers: string[] } => ({ headers: [`Edgeward-Proof: ${id}`] });
const left = async (edge: Edge, id = ID): Promise<unknown> =>
  (await edge.push({ method: 'POST', call: 'proven', body: id })).body;

async function startPassing(t: Test, on: OnNginx): Promise<{ edge: Edge; upstream: { requests(): number } }> {
  const upstream = await startUpstream(t);
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', upstream: upstream.url }] });
  return { edge, upstream };
}

claim('a synthetic flow gets the verdict of the policy in force, and is refused whatever that is', async (t, on) => {
  const { edge, upstream } = await startPassing(t, on);
  const point = edge.point();
  const http = [{ methods: ['POST'], path: '/v1/*', hosts: ['shop.example'] }];
  const policy = smallPolicy({ revision: 3, allow: [ALLOWED, '2001:db8::/64'], http });
  await point.apply(policy);
  const good = { method: 'POST', path: '/v1/orders', host: 'shop.example' };
  const allow = { verdict: 'allow', reason: 'allowed-by-rule', rule: 'r' };
  const deny = (reason: string): object => ({ verdict: 'deny', reason, rule: null });
  const cases: [string, ProofQuestion, object][] = [
    ['who is allowed', from(ALLOWED, good), allow],
    ['over IPv6', from('2001:db8::9', good), allow],
    ['an address that no rule names', from(DENIED, good), deny('unknown-source')],
    ['another method', from(ALLOWED, { ...good, method: 'GET' }), deny('request-not-allowed')],
    ['another path', from(ALLOWED, { ...good, path: '/v2/x' }), deny('request-not-allowed')],
    ['no host', from(ALLOWED, { ...good, host: null }), deny('request-not-allowed')],
    ['a path that can not be judged', from(ALLOWED, { ...good, path: '/v1/%2f' }), deny('bad-request')],
  ];
  const before = await told(edge, point);
  for (const [name, question, verdict] of cases) {
    const where = { to: 'order-front', port: 'tcp/443', mode: 'enforce', hash: policy.hash, revision: 3 };
    const outcome = await point.prove(question, { url: edge.url });
    t.strictSame(outcome, { state: 'judged', judged: { ...where, ...verdict } }, name);
  }
  t.equal(upstream.requests(), 0, 'none reached the upstream, the allowed ones neither');
  t.strictSame(await told(edge, point), before, 'and none was counted or written down');
});

claim('in observe and off a proof says the mode, and is refused all the same', async (t, on) => {
  const { edge, upstream } = await startPassing(t, on);
  const point = edge.point();
  for (const [revision, mode, verdict] of [
    [1, 'observe', 'deny'],
    [2, 'off', 'allow'],
  ] as const) {
    await point.apply(smallPolicy({ revision, allow: [ALLOWED], mode }));
    const outcome = await point.prove(from(DENIED), { url: edge.url });
    t.match(outcome, { state: 'judged', judged: { mode, verdict, revision } });
    t.strictSame([await statusOf(edge, { from: '127.0.0.9' }), upstream.requests()], [200, revision], 'others pass');
  }
});

claim('a server that lost its protection is found out, whatever is left of it', async (t, on) => {
  const { edge, upstream } = await startPassing(t, on);
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  const prove = (): Promise<unknown> => point.prove(from(DENIED), { url: edge.url });
  t.match(await prove(), { state: 'judged' });
  const server = { name: 'order-front', upstream: 'http://127.0.0.1:1', protect: false };
  const forged = 'return 403 "Forbidden. Reference: 0123456789abcdef\\n";';
  const lost: [string, string, object][] = [
    ['the include is gone', '', { status: 502, judged: null }],
    ['something refuses that is not the hook', forged, { status: 403, judged: null }],
    [
      'the hook runs, and nobody heeds it',
      'set $edgeward_server order-front; set $edgeward_port 443; add_header X-Verdict $edgeward_verdict; if ($edgeward_verdict = x) { }',
      { status: 502, judged: { verdict: 'deny', to: 'order-front' } },
    ],
    [
      'the hook runs, and a refusal is made of its reference',
      'set $edgeward_server order-front; set $edgeward_port 443; if ($edgeward_denied) { return 200 "$edgeward_ref"; }',
      { status: 200, judged: { verdict: 'deny' } },
    ],
  ];
  for (const [name, extra, outcome] of lost) {
    await edge.configure({ servers: [{ ...server, extra }] });
    await edge.reload();
    t.match(await prove(), { state: 'passed', ...outcome }, name);
  }
  await edge.configure({ servers: [{ name: 'order-front', upstream: 'http://127.0.0.1:1' }] });
  await edge.reload();
  t.match(await prove(), { state: 'judged' }, 'and that it is back');
  t.equal(upstream.requests(), 0);
});

claim('a proof says which object and port its server is, so that another server is no proof', async (t, on) => {
  const edge = await on.startEdge(t, {
    servers: [{ name: 'order-front' }, { name: 'nameless', bind: null }, { name: 'billing', port: '""' }],
  });
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  const at = (name: string): { url: string } => ({ url: `http://127.0.0.1:${edge.ports[name]}` });
  t.match(await point.prove(from(ALLOWED), at('nameless')), { judged: { to: '', reason: 'unknown-object' } });
  const other = { to: 'billing', port: `tcp/${edge.ports.billing}`, reason: 'unknown-object', mode: null };
  t.match(await point.prove(from(ALLOWED), at('billing')), { judged: other });
});

claim('a hook that fails says so, and is refused', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point();
  const policy = smallPolicy({ revision: 1, allow: [ALLOWED] });
  await point.apply(policy);
  const before = await told(edge, point);
  const nameOf = namesUnder(edge.token);
  const content = nameOf(policy.objects[0]?.hash ?? '');
  await tamperWith(edge, `@${nameOf(policy.hash)}/order-front`, JSON.stringify({ content }));
  const judged = { verdict: 'deny', reason: 'internal-error', to: 'order-front', revision: 0 };
  t.match(await point.prove(from(ALLOWED), { url: edge.url }), { state: 'judged', judged });
  t.strictSame(await told(edge, point), before);
});

claim('an NGINX that is away, or has no policy, is told apart', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point();
  t.match(await point.prove(from(ALLOWED), { url: edge.url }), { judged: { reason: 'no-policy', hash: '' } });
  t.match(await point.prove(from(ALLOWED), { url: 'http://127.0.0.1:1' }), { state: 'silent', cause: /ECONNREFUSED/ });
  await edge.stop();
  t.match(await point.prove(from(ALLOWED), { url: edge.url }), { state: 'unasked', cause: /ECONNREFUSED/ });
});

claim('a mark that nobody laid out changes nothing, whatever it looks like', async (t, on) => {
  const { edge, upstream } = await startPassing(t, on);
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await lay(edge);
  const marks = [
    ID.replace('f', '0'),
    ID.toUpperCase(),
    `${ID}0`,
    ID.slice(1),
    '',
    ' ',
    `${ID}, ${ID}`,
    '*',
    'f'.repeat(7000),
    '__proto__',
    `0${'?'.repeat(31)}`,
  ];
  for (const mark of marks) {
    const seen = await ask(edge, { from: '127.0.0.9', ...marked(mark) });
    const plain = await ask(edge, { from: '127.0.0.9' });
    const shape = ({ status, headers }: typeof seen): unknown => [status, Object.keys(headers).sort()];
    t.strictSame(shape(seen), shape(plain), `denied as ever: ${mark.slice(0, 40)}`);
    t.equal((await ask(edge, { ...marked(mark) })).status, 200, `and passed as ever: ${mark.slice(0, 40)}`);
  }
  t.equal(upstream.requests(), marks.length);
  t.equal((await edge.denials()).length, marks.length * 2, 'each denial is written down');
  t.strictSame(await left(edge), { state: 'waiting' }, 'and the question still waits');
});

claim('a mark is good for one refusal: replayed, it is a request like any other', async (t, on) => {
  const { edge } = await startPassing(t, on);
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await lay(edge);
  const before = await told(edge, point);
  const first = await ask(edge, marked(ID));
  t.strictSame([first.status, Object.keys(first.headers).sort()], [403, REFUSED], 'also from who is allowed');
  t.strictSame(await told(edge, point), before);
  t.equal((await ask(edge, marked(ID))).status, 200, 'the second time it is judged for itself');
  t.equal((await ask(edge, { from: '127.0.0.9', ...marked(ID) })).status, 403);
  t.match(await left(edge), { state: 'answered', answer: { ref: first.headers['edgeward-ref'], verdict: 'deny' } });
  t.strictSame(await left(edge), { state: 'unknown' }, 'the answer is there once');
  t.equal((await edge.denials()).length, 1);
});

const REFUSED = ['cache-control', 'connection', 'content-length', 'content-type', 'date', 'edgeward-ref', 'server'];

claim('questions are taken from who has the token, whole or not at all', async (t, on) => {
  const edge = await on.startEdge(t);
  const whole = { id: ID, peer: 'cb007107', method: 'GET', path: '/', host: null };
  const refused: [string, unknown][] = [
    ['no JSON', '{'],
    ['null', null],
    ['an id that is too short', { ...whole, id: ID.slice(1) }],
    ['no address', { ...whole, peer: '203.0.113.7' }],
    ['a method of two words', { ...whole, method: 'GET /' }],
    ['a path without a slash', { ...whole, path: 'x' }],
    ['a list for a host', { ...whole, host: ['a'] }],
    ['more than any policy asks', { ...whole, path: `/${'x'.repeat(5000)}` }],
  ];
  for (const [name, body] of refused) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    t.equal((await edge.push({ method: 'POST', call: 'prove', body: text })).status, 400, name);
  }
  t.equal((await pushCall(edge.pushUrl, { method: 'POST', call: 'prove', body: JSON.stringify(whole) })).status, 401);
  t.equal((await pushCall(edge.pushUrl, { method: 'POST', call: 'proven', body: ID })).status, 401);
  t.strictSame(await left(edge), { state: 'unknown' });
});

claim('questions that nobody answers take no more of the zone than sixteen of them', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  const free = async (): Promise<number> => ((await edge.push({ call: 'state' })).body as { free: number }).free;
  const idOf = (n: number): string => `${(n & 15).toString(16)}${String(n).padStart(31, '0')}`;
  for (let n = 0; n < 16; n += 1) t.ok(await lay(edge, idOf(n)));
  const after = await free();
  for (let n = 16; n < 64; n += 1) t.notOk(await lay(edge, idOf(n)), 'no other gets its place');
  t.equal(await free(), after);
  t.match(await point.prove(from(DENIED), { url: edge.url }), { state: 'unasked', cause: /every place .* is taken/ });
  t.match(await point.inspect(), { state: 'loaded', drift: [] }, 'a driver takes them for nothing of its own');
  for (let n = 0; n < 16; n += 1) t.strictSame(await left(edge, idOf(n)), { state: 'waiting' });
  t.match(await point.prove(from(DENIED), { url: edge.url }), { state: 'judged' });
});

claim('a proof holds while NGINX is reloaded again and again', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  let reloading = true;
  const reloads = (async () => {
    for (let n = 0; n < 5; n += 1) await edge.reload();
    reloading = false;
  })();
  const before = await told(edge, point);
  const outcomes = new Set<string>();
  await eventually(async () => {
    outcomes.add((await point.prove(from(DENIED), { url: edge.url })).state);
    return !reloading;
  });
  await reloads;
  // The connection that pushes go over ends with its worker; a proof that was asked is one.
  outcomes.delete('unasked');
  t.strictSame([...outcomes], ['judged']);
  t.strictSame(await told(edge, point), before);
});

claim('over HTTP/1.0 and on a path of the server`s own a proof is a proof', async (t, on) => {
  const edge = await on.startEdge(t, {
    servers: [{ name: 'order-front', extra: 'location = /health { return 200 "well\\n"; }' }],
  });
  await edge.point().apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  t.match(await edge.point().prove(from(DENIED), { url: `${edge.url}/health` }), { state: 'judged' });
  await lay(edge);
  const { status } = await rawRequest({ port: edge.port, bytes: `GET / HTTP/1.0\r\nEdgeward-Proof: ${ID}\r\n\r\n` });
  t.equal(status, 403);
  t.match(await left(edge), { state: 'answered' });
});

claim(
  'over TLS, with the name of one server among several, and with a certificate or without looking at it',
  async (t, on) => {
    const folder = t.testdir();
    const own = await testCertificates(join(folder, 'own'));
    const certificates = {
      shop: await own.server({ hosts: ['shop.example'] }),
      other: await own.server({ hosts: ['other.example'] }),
    };
    const port = await freePort();
    const servers = Object.entries(certificates).map(([name, { certFile, keyFile }]) => ({
      name: `${name}-front`,
      extra: `listen 127.0.0.1:${port} ssl; server_name ${name}.example; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`,
    }));
    const edge = await on.startEdge(t, { servers });
    const point = edge.point();
    await point.apply(smallPolicy({ revision: 1, allow: [ALLOWED], objects: ['shop-front', 'other-front'] }));
    const at = { url: `https://127.0.0.1:${port}` };
    const prove = (more: object): Promise<unknown> => point.prove(from(ALLOWED), { ...at, ...more });
    t.match(await prove({}), { state: 'judged', judged: { to: 'shop-front', verdict: 'allow' } }, 'the first one');
    t.match(await prove({ host: 'other.example' }), { state: 'judged', judged: { to: 'other-front' } });
    const { caFile } = own;
    t.match(await prove({ host: 'other.example', caFile }), { state: 'judged', judged: { to: 'other-front' } });
    t.match(await prove({ host: 'third.example', caFile }), { state: 'silent', cause: /third\.example/ });
    const strangers = await testCertificates(join(folder, 'strangers'));
    t.match(await prove({ host: 'shop.example', caFile: strangers.caFile }), { state: 'silent' });
    t.match(await prove({ caFile: '/nowhere.pem' }), { state: 'silent', cause: /ENOENT/ });
  },
);

claim('two services prove at one NGINX at the same time, and no proof is taken for a request', async (t, on) => {
  const edge = await on.startEdge(t);
  const points = [edge.point(), edge.point()];
  await points[0]?.apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  const rounds = await Promise.all(
    points.map(async (point) => {
      const states: string[] = [];
      for (let n = 0; n < 20; n += 1) states.push((await point.prove(from(DENIED), { url: edge.url })).state);
      return states;
    }),
  );
  t.strictSame([...new Set(rounds.flat())], ['judged']);
  t.equal((await edge.denials()).length, 0);
});

claim('a zone without room for a question says so, and goes on judging', async (t, on) => {
  const edge = await on.startEdge(t, { zoneSize: '32k' });
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  let n = 0;
  const fill = async (length: number): Promise<number> => {
    n += 1;
    return (await tamper(edge, `${String(n).padStart(12, '0')}aaaa`, 'a'.repeat(length))).status;
  };
  // A page of the zone holds pieces of one size: of none that a question may need is one left.
  for (const length of [1000, 500, 200, 100, 50, 20, 1]) while (n < 1000 && (await fill(length)) === 200);
  t.ok(n < 1000, `full after ${n}`);
  t.match(await point.prove(from(DENIED), { url: edge.url }), { state: 'unasked', cause: /full/ });
  t.strictSame([await statusOf(edge), await statusOf(edge, { from: '127.0.0.9' })], [200, 403]);
});

async function tamper(edge: Edge, key: string, value: string): Promise<{ status: number }> {
  const { bootId, writer } = (await edge.push({ call: 'state' })).body as { bootId: string; writer: string };
  const headers = { 'edgeward-boot-id': bootId, 'edgeward-writer': writer };
  return edge.push({ method: 'POST', call: 'set', headers, body: `${key}\t${value}` });
}
