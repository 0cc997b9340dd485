/**
 * Connections that stay open while the policy of a BIG-IP changes: whether one is reset, and whether a verdict is ever
 * another than that of the policy in force. A verdict that comes out while an apply runs may be of the old policy or of
 * the new one; a request that begins after the apply resolved may not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { type Echo, openEcho } from './bigip-echo.ts';
import { type BigipEdge, startBigipEdge, withTclsh } from './bigip-edge.ts';
import { BENCH_POINT } from './bigip-policies.ts';
import { type Connection, getRequest, openConnection } from './connection.ts';

const CHANGES = 100;
const STEADY = '127.0.2.1';
const MOVED = '127.0.2.2';
const HTTP = '/Common/vs_http';
const TCP = '/Common/vs_tcp';
const everyMs = 2;
const patienceMs = 10_000;

/** What is judged differently by one policy and the next. */
interface Terms {
  /** The moved source may reach both objects. */
  movedIn: boolean;
  /** The steady source may ask for /v1. */
  v1: boolean;
}

/** One open connection with something running on it. */
interface Flow {
  kind: 'http' | 'tcp';
  asked: number;
  /** Begun and ended within one apply's time. */
  during: number;
  wrong: number;
  /** Verdicts that differ from the one before on this connection. */
  turned: number;
  reset: boolean;
}

interface Stage {
  edge: BigipEdge;
  terms: Terms;
  /** Grows when an apply begins and when it resolves: odd while one runs. */
  epoch: number;
  ended: boolean;
  flows: Flow[];
}

export const bigipFlows: Benchmark = {
  name: 'bigip-flows',
  measures: `open connections through ${CHANGES} changes of a BIG-IP's policy: resets and wrong verdicts`,
  run: (bench) => withTclsh(() => measure(bench)),
};

async function measure(bench: Bench): Promise<Result> {
  const terms = { movedIn: true, v1: true };
  const edge = await startBigipEdge(bench, {
    virtuals: [
      { bind: HTTP, protocol: 'http', rules: 'ours' },
      { bind: TCP, protocol: 'tcp', rules: 'ours' },
    ],
    policy: policyFor(1, terms),
    preface: false,
    // What is out of force is deleted at once, which is harder than it will ever be.
    keptRevisions: 1,
    collectAfterMs: 0,
  });
  const stage: Stage = { edge, terms, epoch: 0, ended: false, flows: [] };
  const running = await openAll(bench, stage);
  const fresh = { opened: 0, wrong: 0 };
  for (let n = 0; n < CHANGES; n += 1) {
    await change(stage, n);
    await untilAllAsked(stage);
    await openFresh(stage, fresh);
    if (n % 20 === 19) bench.progress(`${n + 1} changes`);
  }
  stage.ended = true;
  await Promise.all(running);
  return resultOf(stage.flows, fresh);
}

/** Every policy differs from the one before in one of the two terms, in turns. */
async function change(stage: Stage, n: number): Promise<void> {
  const { movedIn, v1 } = stage.terms;
  const next = n % 2 === 0 ? { movedIn: !movedIn, v1 } : { movedIn, v1: !v1 };
  stage.epoch += 1;
  await stage.edge.point.apply(policyFor(n + 2, next));
  stage.terms = next;
  stage.epoch += 1;
}

function policyFor(revision: number, { movedIn, v1 }: Terms): CompiledPolicy {
  const rule = (id: string, cidr: string, to: string, http?: string): object => ({
    id,
    from: [{ cidr }],
    to: `app == '${to}'`,
    ...(http !== undefined && { http: [{ methods: ['GET'], path: http }] }),
  });
  const object = (bind: string, app: string, protocol: string): object => ({
    kind: 'VirtualServer',
    name: app,
    labels: { app },
    point: BENCH_POINT,
    bind,
    ports: ['tcp/443'],
    protocol,
    mode: 'enforce',
  });
  const rules = [
    rule('steady', STEADY, 'web', '/v0/*'),
    rule('steady-tcp', STEADY, 'db'),
    ...(v1 ? [rule('v1', STEADY, 'web', '/v1/*')] : []),
    ...(movedIn ? [rule('moved', MOVED, 'web', '/v0/*'), rule('moved-tcp', MOVED, 'db')] : []),
  ];
  const policy = { kind: 'Policy', name: 'shop', rules };
  const documents = [object(HTTP, 'web', 'http'), object(TCP, 'db', 'tcp'), policy];
  return compileDocuments(documents, { revision, point: BENCH_POINT });
}

const EACH = 4;

async function openAll(bench: Bench, stage: Stage): Promise<Promise<void>[]> {
  const allowed = (): number => 200;
  const http: [string, string, (terms: Terms) => number][] = [
    [STEADY, '/v0/x', allowed],
    [STEADY, '/v9/x', () => 403],
    [STEADY, '/v1/x', ({ v1 }) => (v1 ? 200 : 403)],
    [MOVED, '/v0/x', ({ movedIn }) => (movedIn ? 200 : 403)],
  ];
  const running: Promise<void>[] = [];
  const web = await stage.edge.listener(HTTP);
  for (const [source, path, expect] of http.flatMap((one) => Array.from({ length: EACH }, () => one))) {
    const connection = await openConnection(web.port, source);
    bench.teardown(async () => connection.close());
    running.push(keepAsking(stage, connection, getRequest(path), expect));
  }
  const db = await stage.edge.listener(TCP);
  for (const source of [STEADY, MOVED].flatMap((one) => Array.from({ length: EACH }, () => one))) {
    const echo = await openEcho(db.port, source);
    bench.teardown(async () => echo.close());
    running.push(keepEchoing(stage, echo));
  }
  return running;
}

function beginFlow({ flows }: Stage, kind: Flow['kind']): Flow {
  const flow: Flow = { kind, asked: 0, during: 0, wrong: 0, turned: 0, reset: false };
  flows.push(flow);
  return flow;
}

async function keepAsking(
  stage: Stage,
  connection: Connection,
  request: string,
  expect: (terms: Terms) => number,
): Promise<void> {
  const flow = beginFlow(stage, 'http');
  let last = expect(stage.terms);
  while (!stage.ended && !flow.reset) {
    const { epoch, terms } = stage;
    const status = await connection.ask(request).catch(() => null);
    const settled = stage.epoch === epoch && epoch % 2 === 0;
    if (status === null) flow.reset = true;
    else if (settled ? status !== expect(terms) : status !== 200 && status !== 403) flow.wrong += 1;
    if (status !== null && status !== last) flow.turned += 1;
    last = status ?? last;
    if (!settled) flow.during += 1;
    flow.asked += 1;
    await sleep(everyMs);
  }
}

/** A connection is judged when it begins: a policy that came later takes nothing from it. */
async function keepEchoing(stage: Stage, echo: Echo): Promise<void> {
  const flow = beginFlow(stage, 'tcp');
  while (!stage.ended && !flow.reset) {
    const { epoch } = stage;
    const back = await echo.ask('ping\n').catch(() => null);
    if (back === null) flow.reset = true;
    else if (back !== 'ping\n') flow.wrong += 1;
    if (stage.epoch !== epoch || epoch % 2 === 1) flow.during += 1;
    flow.asked += 1;
    await sleep(everyMs);
  }
}

/** Each flow has begun and ended a request since the last apply resolved: the one in between began before it, perhaps. */
async function untilAllAsked({ flows }: Stage): Promise<void> {
  const wanted = flows.map(({ asked }) => asked + 2);
  const deadline = performance.now() + patienceMs;
  while (flows.some(({ asked, reset }, index) => !reset && asked < (wanted[index] ?? 0))) {
    if (performance.now() > deadline) throw new Error(`not every flow went on within ${patienceMs} ms`);
    await sleep(everyMs);
  }
}

/** New connections of the source that is moved, right after the change. */
async function openFresh(stage: Stage, fresh: { opened: number; wrong: number }): Promise<void> {
  const db = await stage.edge.listener(TCP);
  const echo = await openEcho(db.port, MOVED).catch(() => null);
  const back = await echo?.ask('hello\n').catch(() => null);
  echo?.close();
  fresh.opened += 1;
  if ((back === 'hello\n') !== stage.terms.movedIn) fresh.wrong += 1;
}

function resultOf(flows: readonly Flow[], fresh: { opened: number; wrong: number }): Result {
  const rows = (['http', 'tcp'] as const).map((kind) => {
    const own = flows.filter((flow) => flow.kind === kind);
    const sum = (of: (flow: Flow) => number): string =>
      own.reduce((all, flow) => all + of(flow), 0).toLocaleString('en');
    const words = kind === 'http' ? 'HTTP, kept alive' : 'TCP';
    const counts = [sum(({ asked }) => asked), sum(({ during }) => during)];
    return [words, String(own.length), ...counts, sum(({ reset }) => Number(reset)), sum(({ wrong }) => wrong)];
  });
  const turning = flows.filter((flow) => flow.turned > 0);
  const turned = turning.reduce((all, flow) => all + flow.turned, 0);
  return {
    state: 'measured',
    tables: [{ head: ['open connections', 'number', 'requests', 'of them during an apply', 'reset', 'wrong'], rows }],
    notes: [
      `${CHANGES} changes, in turns of a source and of a rule's request condition; after each, every connection asked at least once by the new policy. Sets out of force were deleted at once.`,
      'A request counts as wrong when it began after an apply resolved and was judged by another policy than that one. A TCP connection is judged when it begins: those of a source that was taken out stay open.',
      `On ${turning.length} of the HTTP connections each second change turns the verdict: they turned ${turned} times, and ${(turning.length * CHANGES) / 2} would be right.`,
      `New TCP connections of that source, one after each change: ${fresh.opened}, judged wrongly: ${fresh.wrong}.`,
    ],
  };
}
