/**
 * A list of a million CIDRs, and what it takes to change it while requests are judged by it: the room in NGINX's zone, another
 * million in its place, ten addresses more, and a new snapshot. Verdicts that may not change are asked for all the time.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNginxProcess, type HybridPoint } from '@edgeward/nginx-njs';
import type { CompiledPolicy, CompileMemo } from '@edgeward/policy';
import { compileDocuments, type Edge, startEdge } from '../kit/index.ts';
import type { Bench, Benchmark, Result, Table } from './benchmark.ts';
import { aimTable } from './nginx-aims.ts';
import { type Cidr, cidrsOf, covers, rangesOf, sourcesOf } from './nginx-cidrs.ts';
import type { Sliced, SliceTold } from './nginx-generator.ts';
import { type Load, onOwnCores, startLoad, workerPid, workerPids } from './nginx-load.ts';
import { documentsOf, PROTECTED, protectedText } from './nginx-protected.ts';
import { fixed, median } from './statistics.ts';

const COUNT = 1_000_000;
const OBJECT = 'by-address';
const PUSHES = 6;
const DELTAS = 20;
const RELOADS = 4;
const SOURCES = 2000;
const TEN = 10;
const CONNECTIONS = 16;
const MEGA = 1e6;

/** What was judged during a change, and what it took. */
interface Change {
  tookMs: number;
  bytes: number;
  /** null: nobody asked. */
  traffic: Sliced | null;
}

interface Stand {
  edge: Edge;
  point: HybridPoint;
  load: Load;
  policies: { first: CompiledPolicy; other: CompiledPolicy; more: CompiledPolicy; evenMore: CompiledPolicy };
  revision: { last: number };
}

export const nginxChanges: Benchmark = {
  name: 'nginx-changes',
  measures: 'a list of a million CIDRs in NGINX: its room, and what it takes to change it under load',
  async run(bench) {
    const count = bench.part.cidrs?.[0] ?? COUNT;
    const stand = await start(bench, count);
    const firstPush = await timed(() => applyNext(stand, stand.policies.first));
    const zoneBytes = await zoneUse(stand.edge);
    await onOwnCores(await workerPid(stand.edge), [stand.load.pid]);
    const quiet = await underLoad(stand, 'live', 'allowed', async () => 0, 1000);
    const pushes = await pushed(bench, stand);
    const deltas = await changed(bench, stand);
    const snapshots = await reloaded(bench, stand);
    return resultOf({ count, firstPush, zoneBytes, quiet, pushes, deltas, snapshots });
  },
};

async function start(bench: Bench, count: number): Promise<Stand> {
  const [first, other] = [cidrsOf(count), cidrsOf(count, 2)];
  const outside = sourcesOf([...first, ...other], SOURCES + 2 * TEN).outside;
  // One after the other, as a service compiles: what did not change is taken over from the policy before.
  const memo: CompileMemo = { objects: Object.create(null) };
  const compiled = (cidrs: Cidr[]): CompiledPolicy =>
    compileDocuments(documentsOf(cidrs, [OBJECT]), { revision: 1, memo });
  const plus = (from: number): Cidr[] => [...first, ...outside.slice(from, from + TEN).map(single)];
  bench.progress('compiling four policies');
  const policies = {
    ...{ other: compiled(other), first: compiled(first) },
    ...{ more: compiled(plus(0)), evenMore: compiled(plus(TEN)) },
  };
  const servers = PROTECTED.filter(({ name }) => name === 'live' || name === 'hybrid');
  const edge = await startEdge(bench, {
    edition: 'debian-13-lua',
    workers: 1,
    startTimeoutMs: 120_000,
    zoneSize: `${16 + Math.ceil((count * 80) / 2 ** 20)}m`,
    hybrid: { cachedCheck: false },
    extra: 'keepalive_requests 100000000; set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;',
    servers: await Promise.all(
      servers.map(async (it) => ({
        ...{ name: it.name, protect: false, root: false },
        extra: `${await protectedText(it)}\nlocation / { empty_gif; }`,
      })),
    ),
  });
  const load = startLoad(bench);
  const ranges = { first: rangesOf(first), other: rangesOf(other) };
  const inFirst = sourcesOf(first, 20 * SOURCES).inside;
  const both = inFirst.filter((source) => covers(ranges.other, numberOf(source)));
  const onlyFirst = inFirst.filter((source) => !covers(ranges.other, numberOf(source)));
  const onlyOther = sourcesOf(other, 20 * SOURCES).inside.filter((source) => !covers(ranges.first, numberOf(source)));
  await load.sources({
    ...{ allowed: both.slice(0, SOURCES), denied: outside.slice(2 * TEN) },
    ...{ first: onlyFirst.slice(0, SOURCES), other: onlyOther.slice(0, SOURCES) },
  });
  return { edge, point: edge.hybrid({ timeoutMs: 30_000 }), load, policies, revision: { last: 1 } };
}

/** A million others in place of a million, in turns; what only one of them lets in is asked for after each. */
async function pushed(bench: Bench, stand: Stand): Promise<Change[]> {
  const changes: Change[] = [];
  for (let n = 0; n < PUSHES; n += 1) {
    const [next, gone] = n % 2 === 0 ? (['other', 'first'] as const) : (['first', 'other'] as const);
    const traffic = n % 4 < 2 ? 'allowed' : 'denied';
    changes.push(await applied(stand, 'live', traffic, stand.policies[next], 300));
    for (const [sources, status] of [
      [next, 200],
      [gone, 403],
    ] as const)
      addTo(changes.at(-1), await asked(stand, 'live', sources, status, 200));
    bench.progress(`push ${n + 1} of ${PUSHES}`);
    // What was replaced is deleted two seconds later.
    await stand.load.slice(sliceOf(stand, 'live', 'allowed', 200, 2500));
  }
  return changes;
}

/** Under load, and where the driver has a core to itself. */
async function changed(bench: Bench, stand: Stand): Promise<{ loaded: Change[]; alone: Change[] }> {
  await applied(stand, 'live', 'allowed', stand.policies.first, 100);
  const found = { loaded: [] as Change[], alone: [] as Change[] };
  for (let n = 0; n < DELTAS; n += 1) {
    const next = n % 2 === 0 ? stand.policies.more : stand.policies.evenMore;
    if (n < DELTAS / 2) found.loaded.push(await applied(stand, 'live', n % 4 < 2 ? 'allowed' : 'denied', next, 20));
    else found.alone.push(await timed(() => applyNext(stand, next)));
  }
  bench.progress(`${DELTAS} deltas`);
  return found;
}

interface Reloaded {
  /** The whole way of a new snapshot. */
  whole: Change[];
  /** Of it the reload: HUP until no old worker takes connections, to which NGINX itself adds 100 ms. */
  reloads: Change[];
  /** HUP until the new worker serves. */
  serving: Change[];
}

async function reloaded(bench: Bench, stand: Stand): Promise<Reloaded> {
  const nginx = createNginxProcess({
    ...{ point: 'edge-1', test: ['false'], reload: null },
    pidFile: join(stand.edge.paths.folder, 'nginx.pid'),
  });
  const found: Reloaded = { whole: [], reloads: [], serving: [] };
  for (let n = 0; n < RELOADS; n += 1) {
    const traffic = n % 2 === 0 ? 'allowed' : 'denied';
    found.whole.push(await underLoad(stand, 'hybrid', traffic, () => stand.point.takeSnapshot().then(() => 0), 200));
    const old = await workerPid(stand.edge);
    const serves = (): Promise<number> => newWorkerServes(stand.edge, old);
    const reload = async (): Promise<number> => {
      const [serving] = await Promise.all([timed(() => serves()), nginx.reload()]);
      found.serving.push(serving);
      return 0;
    };
    found.reloads.push(await underLoad(stand, 'hybrid', traffic, reload, 200));
    await workerPid(stand.edge);
    bench.progress(`snapshot ${n + 1} of ${RELOADS}`);
  }
  return found;
}

/** A worker has its title when its configuration is loaded and its event loop begins. */
async function newWorkerServes(edge: Edge, old: number): Promise<number> {
  for (const until = performance.now() + 30_000; performance.now() < until; await sleep(2)) {
    const pids = (await workerPids(edge)).filter((pid) => pid !== old);
    const titles = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')));
    if (titles.some((title) => title.includes('worker process'))) return 0;
  }
  throw new Error('no new worker of NGINX within 30 s');
}

function applied(
  stand: Stand,
  server: string,
  traffic: 'allowed' | 'denied',
  policy: CompiledPolicy,
  restMs: number,
): Promise<Change> {
  return underLoad(stand, server, traffic, () => applyNext(stand, policy), restMs);
}

async function applyNext({ point, revision }: Stand, policy: CompiledPolicy): Promise<number> {
  revision.last += 1;
  return (await point.apply({ ...policy, revision: revision.last })).bytes;
}

async function underLoad(
  stand: Stand,
  server: string,
  traffic: 'allowed' | 'denied',
  change: () => Promise<number>,
  restMs: number,
): Promise<Change> {
  const { ms, ...asking } = sliceOf(stand, server, traffic, traffic === 'allowed' ? 200 : 403, restMs);
  const running = stand.load.start(asking);
  await sleep(ms);
  const changed = await timed(change);
  await sleep(ms);
  return { ...changed, traffic: await running.stop() };
}

/** `change` answers how many bytes it sent. */
async function timed(change: () => Promise<number>): Promise<Change> {
  const from = performance.now();
  const bytes = await change();
  return { tookMs: performance.now() - from, bytes, traffic: null };
}

async function asked(stand: Stand, server: string, sources: string, status: number, ms: number): Promise<Sliced> {
  return stand.load.slice(sliceOf(stand, server, sources, status, ms));
}

function sliceOf(
  stand: Stand,
  server: string,
  sources: string,
  status: number,
  ms: number,
): Omit<SliceTold, 'is'> & { ms: number } {
  const port = stand.edge.ports[server] ?? 0;
  return { port, tls: false, path: '/', sources, status, connections: CONNECTIONS, ms };
}

function addTo(change: Change | undefined, more: Sliced): void {
  if (change?.traffic == null) return;
  change.traffic.asked += more.asked;
  change.traffic.wrong += more.wrong;
}

async function zoneUse(edge: Edge): Promise<number> {
  const { capacity, free } = (await edge.push({ call: 'state' })).body as { capacity: number; free: number };
  return capacity - free;
}

function single(source: string): Cidr {
  return { network: numberOf(source), prefix: 32 };
}

function numberOf(source: string): number {
  return source.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

interface Found {
  count: number;
  firstPush: Change;
  zoneBytes: number;
  quiet: Change;
  pushes: Change[];
  deltas: { loaded: Change[]; alone: Change[] };
  snapshots: Reloaded;
}

function resultOf({ count, firstPush, zoneBytes, quiet, pushes, deltas, snapshots }: Found): Result {
  const rows: [string, Change[]][] = [
    ['nothing changes', [quiet]],
    ['all of it replaced by as many others', pushes],
    [`${TEN} addresses more, ${TEN} others less`, deltas.loaded],
    ['the same without load', deltas.alone],
    ['a new snapshot: written, tested, flags, reload', snapshots.whole],
    ['of that, the reload: HUP until the new worker serves', snapshots.serving],
    ['and until the old one takes no connection any more, for which NGINX waits 100 ms', snapshots.reloads],
  ];
  const table: Table = {
    head: [
      'under load',
      'times',
      'ms, median',
      'ms, slowest',
      'KB sent',
      'slowest answer, ms',
      'closed',
      'wrong',
      'judged',
    ],
    rows: rows.map(([words, changes]) => [words, ...cellsOf(changes)]),
  };
  const middle = (changes: Change[]): number => median(changes.map(({ tookMs }) => tookMs));
  const sum = (changes: Change[], of: (it: Change) => number): number => changes.reduce((all, it) => all + of(it), 0);
  const stall = Math.max(...pushes.map(({ traffic }) => traffic?.slowestMs ?? 0));
  const wrong = sum(
    [...pushes, ...deltas.loaded, ...snapshots.whole, ...snapshots.reloads],
    ({ traffic }) => traffic?.wrong ?? 0,
  );
  const ms = (value: number): string => `${fixed(value)} ms`;
  return {
    state: 'measured',
    tables: [
      table,
      aimTable([
        { words: 'room in the zone', measured: zoneBytes / MEGA, most: 20, shown: (it) => `${fixed(it)} MB` },
        { words: 'a push of all of it, median', measured: middle(pushes), most: 400, shown: ms },
        { words: 'the slowest answer during one', measured: stall, most: 15, shown: ms },
        { words: 'wrong verdicts', measured: wrong, most: 0, shown: String },
        { words: `${TEN} addresses, without load, median`, measured: middle(deltas.alone), most: 5, shown: ms },
        { words: 'reload to a new snapshot, median', measured: middle(snapshots.serving), most: 100, shown: ms },
      ]),
    ],
    notes: [
      `${count.toLocaleString('en')} CIDRs of one object; the first push into an empty zone took ${fixed(firstPush.tookMs)} ms. Compiling is not part of any of it.`,
      `Load: ${CONNECTIONS} kept connections that ask without pause, for sources whose verdict is the same before and after; after a push of all of it also for those that only one of the two lists has. The slowest answer is that of the whole time, half a second around the change included, on two cores that NGINX, the generator and the driver share.`,
    ],
  };
}

function cellsOf(changes: readonly Change[]): string[] {
  const took = changes.map(({ tookMs }) => tookMs);
  const judged = changes.flatMap(({ traffic }) => (traffic === null ? [] : [traffic]));
  const count = (of: (it: Sliced) => number): string =>
    judged.reduce((all, it) => all + of(it), 0).toLocaleString('en');
  return [
    String(changes.length),
    fixed(median(took)),
    fixed(Math.max(...took)),
    fixed(median(changes.map(({ bytes }) => bytes)) / 1000),
    judged.length === 0 ? '–' : fixed(Math.max(...judged.map(({ slowestMs }) => slowestMs))),
    count(({ closed }) => closed),
    count(({ wrong }) => wrong),
    count(({ asked }) => asked),
  ];
}
