/**
 * A large estate from a cold start until NGINX judges by it, then edits of one workload. The times are of the whole way:
 * from the start of the process or the return of the write, to a request with the verdict.
 */
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Edge, freePort, startEdge } from '../kit/index.ts';
import type { Bench, Benchmark, Result, Table } from './benchmark.ts';
import { type Connection, getRequest, openConnection } from './connection.ts';
import {
  type LargePolicies,
  MOVED,
  MOVED_PATH,
  OBJECT,
  OBJECTS,
  RULES,
  WORKLOADS,
  writeLargePolicies,
} from './large-policies.ts';
import { type ServiceProcess, serviceConfigFor, startServiceProcess } from './service-process.ts';
import { type Spans, spansOf, spanTable } from './spans.ts';
import { fixed, SPREAD_HEAD, spread } from './statistics.ts';

const edits = 20;
/** What an edit leaves behind (the snapshot on disk, old entries at the point) is done by then, or is part of the price. */
const pauseMs = 1500;
const patienceMs = 60_000;
const request = getRequest(MOVED_PATH);
const MEBI = 2 ** 20;

interface Edit {
  tookMs: number;
  spans: Spans;
}

interface Start {
  inForceMs: number;
  service: ServiceProcess;
  /** What was done by when, from the start of the process. */
  steps: [what: string, atMs: number][];
  peakBytes: number;
}

export const scale: Benchmark = {
  name: 'scale',
  measures: `${WORKLOADS.toLocaleString('en')} workloads, ${RULES.toLocaleString('en')} rules, ${OBJECTS} objects: start, memory, and edits of one workload`,
  async run(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'edgeward-bench-'));
    bench.teardown(() => rm(directory, { recursive: true, force: true }));
    const policies = await writeLargePolicies(directory);
    const { size } = await stat(policies.inventoryFile);
    const servers = [{ name: 'first', bind: OBJECT }];
    const edge = await startEdge(bench, { servers, zoneSize: '256m', extra: 'keepalive_requests 10000000;' });
    const config = serviceConfigFor(edge, directory, await freePort());
    const connection = await openConnection(edge.port, MOVED);
    bench.teardown(async () => connection.close());
    const cold = await startCold(bench, () => startServiceProcess(bench, config), connection);
    bench.progress(`in force after ${fixed(cold.inForceMs)} ms`);
    const zone = await zoneUse(edge);
    const measured = await measureEdits(bench, cold.service, policies, connection);
    const afterEdits = await cold.service.peakBytes();
    await cold.service.stop();
    const again = await startAgain(startServiceProcess(bench, config));
    return resultOf({ cold, zone, measured, afterEdits, again, inventoryBytes: size });
  },
};

async function startCold(bench: Bench, start: () => ServiceProcess, connection: Connection): Promise<Start> {
  bench.progress('starting cold');
  const from = performance.now();
  const service = start();
  await untilStatus(connection, 200, 20);
  const inForceMs = performance.now() - from;
  await service.event('policy_applied');
  return { inForceMs, service, steps: stepsOf(service), peakBytes: await service.peakBytes() };
}

/** The state folder and NGINX hold everything already: how long until the service has compiled it all and looked. */
async function startAgain(service: ServiceProcess): Promise<{ readyMs: number; peakBytes: number }> {
  const ready = await service.event('service_started');
  const peakBytes = await service.peakBytes();
  await service.stop();
  return { readyMs: ready.atMs - service.startedAtMs, peakBytes };
}

function stepsOf(service: ServiceProcess): [string, number][] {
  const steps: [string, string][] = [
    ['process_ready', 'Node has started and loaded the modules (from source)'],
    ['policy_read', 'the directory is read'],
    ['policy_built', 'linked, linted, compiled, tests run'],
    ['policy_published', 'published'],
    ['policy_applied', 'applied: pushed, switched, last-known file written'],
  ];
  return steps.map(([name, words]) => {
    const event = service.events.find((it) => it.event === name);
    return [words, (event?.atMs ?? Number.NaN) - service.startedAtMs];
  });
}

async function measureEdits(
  bench: Bench,
  service: ServiceProcess,
  policies: LargePolicies,
  connection: Connection,
): Promise<Edit[]> {
  const measured: Edit[] = [];
  const texts = { prod: policies.inventory('prod'), dev: policies.inventory('dev') };
  const draft = `${policies.inventoryFile}.new`;
  for (let n = 0; n < edits; n += 1) {
    await sleep(pauseMs + Math.random() * 500);
    const env = n % 2 === 0 ? 'dev' : 'prod';
    await writeFile(draft, texts[env]);
    await rename(draft, policies.inventoryFile);
    const [from, fromMs] = [performance.now(), Date.now()];
    await untilStatus(connection, env === 'prod' ? 200 : 403, 1);
    const tookMs = performance.now() - from;
    await service.event('policy_applied', fromMs);
    measured.push({ tookMs, spans: spansOf(service.events, fromMs, tookMs) });
    bench.progress(`edit ${n + 1} of ${edits}: ${fixed(tookMs)} ms`);
  }
  return measured;
}

async function untilStatus(connection: Connection, status: number, everyMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while ((await connection.ask(request)) !== status) {
    if (performance.now() > deadline) throw new Error(`no status ${status} within ${patienceMs} ms`);
    await sleep(everyMs);
  }
}

async function zoneUse(edge: Edge): Promise<{ usedBytes: number; keys: number }> {
  const state = (await edge.push({ call: 'state' })).body as { capacity: number; free: number };
  const keys = (await edge.push({ call: 'keys' })).body as string[];
  return { usedBytes: state.capacity - state.free, keys: keys.length };
}

interface Measured {
  cold: Start;
  zone: { usedBytes: number; keys: number };
  measured: Edit[];
  afterEdits: number;
  again: { readyMs: number; peakBytes: number };
  inventoryBytes: number;
}

function resultOf({ cold, zone, measured, afterEdits, again, inventoryBytes }: Measured): Result {
  const applied = cold.service.events.find((it) => it.event === 'policy_applied')?.fields ?? {};
  const starts: Table = {
    head: ['cold start, ms from the start of the process', 'at'],
    rows: [...cold.steps, ['first request allowed', cold.inForceMs] as const].map(([words, at]) => [words, fixed(at)]),
  };
  const edited: Table = {
    head: ['one workload edited, ms', ...SPREAD_HEAD],
    rows: [['write returned → new verdict', ...spread(measured.map((edit) => edit.tookMs))]],
  };
  const pushed = `${applied.writes} calls, ${fixed(Number(applied.bytes) / MEBI)} MiB`;
  return {
    state: 'measured',
    tables: [starts, edited, spanTable(measured.map((edit) => edit.spans))],
    notes: [
      `Peak memory of the service (VmHWM): ${mebibytes(cold.peakBytes)} when in force, ${mebibytes(afterEdits)} after ${edits} edits; the inventory is ${mebibytes(inventoryBytes)} of NDJSON.`,
      `At NGINX: ${zone.keys.toLocaleString('en')} entries in ${mebibytes(zone.usedBytes)} of the zone; the first push took ${pushed}.`,
      `Started again, with state on disk and the policy in NGINX: ready after ${fixed(again.readyMs)} ms, peak ${mebibytes(again.peakBytes)}.`,
    ],
  };
}

function mebibytes(bytes: number): string {
  return `${fixed(bytes / MEBI)} MiB`;
}
