/** Rounds of proofs on a real NGINX: what every fault is called, and that a policy on its way is none. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type CompiledPolicy, formatPortRange } from '@edgeward/policy';
import { createLogger } from '@edgeward/runtime';
import { compileDocuments, type Edge, requireNginx, startEdge, startUpstream, type Upstream } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import type { ObjectProof } from '../../src/proof/object-proof.ts';
import type { ProofConfig } from '../../src/proof/proof-schema.ts';
import { createProver, type Prover, type ProverOptions } from '../../src/proof/prover.ts';

await requireNginx(t);

const NOW = 1_795_000_000_000;

interface Documents {
  mode?: string;
  from?: object[];
  http?: object[];
  ports?: string[];
  objects?: string[];
}

function compiled(revision: number, of: Documents = {}): CompiledPolicy {
  const { mode = 'enforce', from = [{ cidr: '10.1.0.0/16' }], http, ports = ['tcp/443'], objects = ['a'] } = of;
  const fronts = objects.map((name) => ({
    ...{ kind: 'VirtualServer', name, labels: { app: 'shop' }, point: 'edge-1', bind: `/site/${name}`, ports, mode },
  }));
  const rule = { id: 'r', from, to: "app == 'shop'", ...(http === undefined ? {} : { http }) };
  return compileDocuments([...fronts, { kind: 'Policy', name: 'p', rules: [rule] }], { revision });
}

interface Stage {
  edge: Edge;
  upstream: Upstream;
  prover: Prover;
  /** Applies it, and lets the prover know. */
  apply(policy: CompiledPolicy): Promise<void>;
  /** Of `a`, after a round. */
  proved(): Promise<ObjectProof>;
  failures: string[];
}

const server = (name: string, more: object = {}): { name: string; bind: string } => ({
  name,
  bind: `/site/${name}`,
  ...more,
});

async function staged(t: Test, options: Partial<ProverOptions> & { given?: boolean } = {}): Promise<Stage> {
  const upstream = await startUpstream(t);
  const edge = await startEdge(t, { servers: [server('a', { upstream: upstream.url })] });
  const point = edge.point();
  const failures: string[] = [];
  let applied: string | null = null;
  const prover = createProver({
    point,
    push: edge.pushUrl,
    config: options.given === false ? everyMinute({}) : everyMinute({ a: { url: edge.url } }),
    applied: () => applied,
    lasting: {},
    // Time stands still, and what waits has waited.
    clock: { now: () => NOW, after: (_ms, run) => immediately(run) },
    logger: createLogger({ level: 'silent' }),
    failed: (object, kind) => failures.push(`${object} ${kind}`),
    told: () => {},
    ...options,
  });
  t.teardown(() => prover.close());
  const proved = async (): Promise<ObjectProof> => {
    await prover.round();
    const [first] = prover.proofs();
    if (first === undefined) throw new Error('nothing is to be proved');
    return first;
  };
  const apply = async (policy: CompiledPolicy): Promise<void> => {
    prover.remember(policy);
    await point.apply(policy);
    applied = policy.hash;
  };
  return { edge, upstream, prover, apply, proved, failures };
}

function immediately(run: () => void): () => void {
  const handle = setImmediate(run);
  return () => clearImmediate(handle);
}

function everyMinute(objects: Record<string, { url: string }>): ProofConfig {
  const none = { mode: 'on', url: null, host: null, caFile: null } as const;
  const own = Object.entries(objects).map(([name, more]) => [name, { ...none, ...more }] as const);
  return { mode: 'on', everyMs: 60_000, objects: Object.fromEntries(own) };
}

t.test('an object is proven by both flows, and nothing of it is told of traffic', async (t) => {
  const { edge, upstream, apply, proved, prover, failures } = await staged(t);
  t.strictSame(prover.proofs(), [], 'nothing is known yet');
  await apply(compiled(3));
  t.match(prover.proofs(), [{ object: 'a', state: 'unproven', why: 'not asked yet' }]);
  const proven = { object: 'a', state: 'proven', why: null, kind: null, provenAtMs: NOW, revision: 3 };
  t.strictSame(await proved(), { ...proven, flows: ['allow', 'deny'] });
  const { counts } = await edge.point().counts();
  t.strictSame([counts, await edge.denials(), upstream.requests(), failures], [[], [], 0, []]);
});

t.test('in observe the verdict is proven, and where there is one flow, it alone', async (t) => {
  const { apply, proved, prover } = await staged(t);
  const cases: [Documents, string[]][] = [
    [{ mode: 'observe' }, ['allow', 'deny']],
    [{ from: [{ any: true }] }, ['allow']],
    [{ from: [{ any: true }], http: [{ path: '/v1/*' }] }, ['allow', 'deny']],
    [{ from: [] }, ['deny']],
  ];
  let revision = 0;
  for (const [documents, flows] of cases) {
    revision += 1;
    const of = documents.from?.length === 0 ? { ...documents, from: [{ workloads: "app == 'nobody'" }] } : documents;
    await apply(compiled(revision, of));
    t.match(await proved(), { state: 'proven', flows, revision }, JSON.stringify(documents));
  }
  await apply(compiled(9, { mode: 'off' }));
  await prover.round();
  t.strictSame(prover.proofs(), [], 'nothing is to be proved of an object that is off');
});

t.test('what is wrong at a point has a name, and so has its end', async (t) => {
  const { edge, upstream, apply, proved, failures } = await staged(t);
  await apply(compiled(1));
  t.match(await proved(), { state: 'proven' });
  const passing = { upstream: upstream.url };
  const faults: [string, object, string, RegExp][] = [
    [
      'the include is gone',
      server('a', { ...passing, protect: false }),
      'not-refused',
      /answered 200, and no hook ran$/,
    ],
    [
      'a return stands before it',
      server('a', { protect: false, root: false, extra: 'return 301 https://elsewhere.example;' }),
      'not-refused',
      /answered 301, and no hook ran$/,
    ],
    ['it is another object', server('a', { bind: '/site/b' }), 'other-object', /the server at .* is \/site\/b$/],
    ['it says no name', server('a', { bind: null }), 'other-object', /is of no object$/],
    [
      'it is on a port that is not listed',
      server('a', { port: 8443 }),
      'other-object',
      /is on tcp\/8443, which a does not/,
    ],
  ];
  for (const [name, broken, kind, why] of faults) {
    await edge.configure({ servers: [broken as ReturnType<typeof server>] });
    await edge.reload();
    t.match(await proved(), { state: 'failed', kind, why, provenAtMs: NOW }, name);
    await edge.configure({ servers: [server('a', passing)] });
    await edge.reload();
    t.match(await proved(), { state: 'proven', why: null }, `${name}, and put right`);
  }
  await edge.stop();
  t.match(await proved(), { state: 'stale', kind: 'no-answer', why: /ECONNREFUSED/ });
  t.strictSame(failures, [...faults.map(([, , kind]) => `a ${kind}`), 'a no-answer'], 'each counts once a round');
  t.strictSame(
    (await edge.denials()).map(({ object }) => object),
    [],
    'and none of them is a denial',
  );
});

t.test('a policy by hand is found out, whether it lets somebody in, keeps somebody out or is broken', async (t) => {
  const { edge, apply, proved } = await staged(t);
  const policy = compiled(1);
  await apply(policy);
  t.match(await proved(), { state: 'proven' });
  // Names are made with the push token; of one object there is one of each kind.
  const keys = (await edge.push({ call: 'keys' })).body as string[];
  const [content = ''] = keys.find((key) => key.endsWith('#0'))?.split('#') ?? [];
  const headerKey = keys.find((key) => key.startsWith('@')) ?? '';
  const tampered: [string, string, string, RegExp][] = [
    ['everybody is let in', `${content}*4`, '0000ffff0000', /192\.0\.2\.1 → a .* must be denied .*, and was allowed/],
    ['nobody is', `${content}#0`, '[]', /must be allowed \(allowed-by-rule r\), and was denied \(unknown-source\)/],
    [
      'a rule of another name',
      `${content}#0`,
      '[{"id":"x","action":"allow","ports":null,"http":null}]',
      /r\), and .* x\)/,
    ],
    ['the hook fails', `${content}#0`, '[{}]', /the hook fails/],
    [
      'the mode is another',
      headerKey,
      JSON.stringify({ ...header(policy, content), mode: 'observe' }),
      /its mode there is observe, and must be enforce/,
    ],
  ];
  const before = (await edge.denials()).length;
  for (const [name, key, value, why] of tampered) {
    const { bootId, writer } = (await edge.push({ call: 'state' })).body as { bootId: string; writer: string };
    const headers = { 'edgeward-boot-id': bootId, 'edgeward-writer': writer };
    await edge.push({ method: 'POST', call: 'set', headers, body: `${key}\t${value}` });
    t.match(await proved(), { state: 'failed', kind: 'wrong-verdict', why }, name);
    await edge.push({ method: 'POST', call: 'delete', headers, body: `${content}*4` });
    await edge.point().apply(policy);
    t.match(await proved(), { state: 'proven' }, `${name}, and repaired`);
  }
  t.equal((await edge.denials()).length, before);
});

function header(policy: CompiledPolicy, content: string): object {
  const { ports = [], protocol } = policy.objects[0] ?? {};
  return { content, mode: 'enforce', protocol, ports, trustedProxies: null };
}

t.test('an NGINX whose module knows no proofs says what to do, and goes on', async (t) => {
  const { edge, apply, proved } = await staged(t, { given: false });
  const module = join(edge.paths.snippets, 'edgeward.js');
  const text = await readFile(module, 'utf8');
  await writeFile(module, text.replace('POST prove"', 'POST not-yet"'));
  await edge.reload();
  await apply(compiled(1, { ports: [`tcp/${edge.port}`] }));
  t.match(await proved(), {
    state: 'unproven',
    why: 'its edgeward.js is older than this service: run `edgeward nginx snippets` again, and reload NGINX',
  });
  await writeFile(module, text);
  await edge.configure({ servers: [server('a', { port: '""' })] });
  await edge.reload();
  t.match(await proved(), { state: 'proven' });
});

t.test('a new revision is no failure, and one that this service did not give is', async (t) => {
  const { edge, prover, apply, proved } = await staged(t);
  const [first, second] = [compiled(1), compiled(2, { from: [{ cidr: '10.9.0.0/16' }] })];
  await apply(first);
  // The point has it, and the service has not heard of that yet.
  prover.remember(second);
  await edge.point().apply(second);
  t.match(await proved(), { state: 'proven', revision: 2 }, 'judged by what the point says');
  await apply(second);
  const theirs = compiled(3, { from: [{ cidr: '10.8.0.0/16' }] });
  await edge.point().apply(theirs);
  t.match(await proved(), {
    state: 'failed',
    kind: 'other-policy',
    why: /revision 3, which this service did not give/,
  });
  await apply(theirs);
  t.match(await proved(), { state: 'proven', revision: 3 });
});

t.test('what is put right between two tries has not failed', async (t) => {
  const edges: Edge[] = [];
  const after = (_ms: number, run: () => void): (() => void) => {
    const mend = async (): Promise<void> => {
      for (const edge of edges) {
        await edge.configure({ servers: [server('a')] });
        await edge.reload();
      }
    };
    void mend().then(run, run);
    return () => {};
  };
  const { edge, apply, proved, failures } = await staged(t, { clock: { now: () => NOW, after } });
  edges.push(edge);
  await apply(compiled(1));
  await edge.configure({ servers: [server('a', { protect: false })] });
  await edge.reload();
  t.match(await proved(), { state: 'proven' });
  t.strictSame(failures, []);
});

t.test('the flows are chosen for the port that the server says it is on', async (t) => {
  const { edge, apply, proved } = await staged(t);
  await edge.configure({ servers: [server('a', { port: 8443 })] });
  await edge.reload();
  const policy = compiled(1, { ports: ['tcp/443', 'tcp/8443'] });
  t.strictSame(policy.objects[0]?.ports.map(formatPortRange), ['tcp/443', 'tcp/8443']);
  await apply(policy);
  t.match(await proved(), { state: 'proven', flows: ['allow', 'deny'] });
});

t.test(
  'where the address is a guess, only a proof that succeeded there makes a failure of another answer',
  async (t) => {
    const elsewhere = await startUpstream(t);
    const guessed = async (port: number, lasting = {}): Promise<Stage> => {
      const stage = await staged(t, { given: false, lasting });
      await stage.apply(compiled(1, { ports: [`tcp/${port}`] }));
      return stage;
    };
    const first = await guessed(elsewhere.port);
    t.match(await first.proved(), {
      state: 'unproven',
      kind: 'not-refused',
      why: /200, and no hook ran; the address is a guess/,
    });
    t.match(await (await guessed(1)).proved(), { state: 'unproven', kind: 'no-answer', why: /ECONNREFUSED/ });
    const url = `http://127.0.0.1:${elsewhere.port}`;
    const lasting = { a: { url, provenAtMs: NOW - 1000, revision: 1, flows: ['allow', 'deny'] } };
    t.match(await (await guessed(elsewhere.port, lasting)).proved(), { state: 'failed', kind: 'not-refused' });
    t.strictSame(first.failures, [], 'and what means nothing is not counted');
  },
);

t.test('objects are proved side by side, and one that is away holds up none', async (t) => {
  const edge = await startEdge(t, { servers: [server('a'), server('b')] });
  const policy = compiled(1, { objects: ['a', 'b', 'c', 'd'] });
  const point = edge.point();
  await point.apply(policy);
  const url = (name: string): { url: string } => ({ url: `http://127.0.0.1:${edge.ports[name]}` });
  const config = everyMinute({ a: url('a'), b: url('b'), c: { url: 'http://127.0.0.1:1' } });
  const off = { mode: 'off', url: null, host: null, caFile: null } as const;
  const stage = await staged(t, {
    point,
    config: { ...config, objects: { ...config.objects, d: off } },
    applied: () => policy.hash,
  });
  stage.prover.remember(policy);
  await stage.prover.round();
  t.match(stage.prover.proofs(), [
    { object: 'a', state: 'proven' },
    { object: 'b', state: 'proven' },
    { object: 'c', state: 'unproven', kind: 'no-answer' },
    { object: 'd', state: 'unproven', why: 'off, as edgeward.yaml says' },
  ]);
});

t.test('objects behind one listener that gives no answer wait for it together, and twice', async (t) => {
  let connections = 0;
  const mute = createServer((socket) => {
    connections += 1;
    socket.on('error', () => socket.destroy());
  });
  t.teardown(() => mute.close());
  await once(mute.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const edge = await startEdge(t);
  const names = ['a', 'b', 'c', 'd', 'e'];
  const policy = compiled(1, { objects: names });
  const point = edge.point({ timeoutMs: 300 });
  await point.apply(policy);
  const config = everyMinute(Object.fromEntries(names.map((name) => [name, { url }])));
  const { prover } = await staged(t, { point, config, applied: () => policy.hash });
  prover.remember(policy);
  await prover.round();
  t.strictSame(
    prover.proofs().map(({ state, kind }) => [state, kind]),
    names.map(() => ['unproven', 'no-answer']),
  );
  t.match(prover.proofs()[4]?.why, /no answer within 300 ms/);
  t.equal(connections, 2);
});
