/**
 * What the store compiles: rules documents and member pages for every point, from nothing and after a change of one workload,
 * against compiling everything in one piece as a service without a store does. And what that costs where many hosts share a
 * rule.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench, Benchmark, Table } from './benchmark.ts';
import { estateOf, RULES_PER_APP } from './compile-estate.ts';
import { manyHosts } from './compile-hosts.ts';
import { fixed, median, quantile, SPREAD_HEAD, spread } from './statistics.ts';

/** In one piece only up to here: beyond it takes more memory than the machines that this runs on have. */
const sizes = [10_000, 100_000, 1_000_000];
const mostWhole = 100_000;
const patienceMs = 600_000;
const MEBI = 2 ** 20;
const child = fileURLToPath(new URL('compile-child.ts', import.meta.url));

export type Way = 'store' | 'whole';

export interface Step {
  what: string;
  tookMs: number;
}

/** What a child process answers. */
export interface Found {
  steps: Step[];
  fullMs: number;
  editsMs: number[];
  pointsPerEdit: number;
  /** `store` only: members taken in and compiled at the point with the largest group. */
  hopsMs: number[];
  counts: { points: number; groups: number; memberships: number; profiles: number };
  /** After a collection, with everything still held. */
  heldBytes: number;
  peakBytes: number;
}

interface Row extends Found {
  way: Way;
  workloads: number;
}

export const compile: Benchmark = {
  name: 'compile',
  measures:
    'rules documents and member pages of every point: from nothing, and after one workload changed its labels; many hosts under one rule',
  async run(bench) {
    const rows: Row[] = [];
    for (const workloads of sizes) {
      rows.push({ way: 'store', workloads, ...(await measure(bench, 'store', workloads)) });
      if (workloads <= mostWhole) rows.push({ way: 'whole', workloads, ...(await measure(bench, 'whole', workloads)) });
    }
    bench.progress('many hosts under one rule');
    return {
      state: 'measured',
      tables: [sizeTable(rows), fullTable(rows), editTable(rows), stepTable(rows), manyHosts(500, 10_000)],
      notes: notesOf(rows),
    };
  },
};

async function measure(bench: Bench, way: Way, workloads: number): Promise<Found> {
  bench.progress(`${way}: ${number(workloads)} workloads`);
  const args = [...process.execArgv, '--expose-gc', '--max-old-space-size=8192', child, way, String(workloads)];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: patienceMs });
  bench.teardown(async () => void running.kill('SIGKILL'));
  let text = '';
  running.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const code = await new Promise((resolve) => running.once('close', resolve));
  if (code !== 0) throw new Error(`compiling ${workloads} workloads ended with ${code}`);
  return JSON.parse(text) as Found;
}

function sizeTable(rows: Row[]): Table {
  const own = rows.filter(({ way }) => way === 'store');
  return {
    head: ['workloads', 'points', 'rules', 'groups', 'memberships', 'kinds of labels that selectors tell apart'],
    rows: own.map(({ workloads, counts }) => [
      number(workloads),
      number(counts.points),
      number(estateOf(workloads).apps * RULES_PER_APP),
      number(counts.groups),
      number(counts.memberships),
      number(counts.profiles),
    ]),
  };
}

function fullTable(rows: Row[]): Table {
  return {
    head: ['from nothing', 'workloads', 'took, s', 'memory held, MiB', 'greatest, MiB'],
    rows: rows.map(({ way, workloads, fullMs, heldBytes, peakBytes }) => [
      nameOf(way),
      number(workloads),
      fixed(fullMs / 1000),
      fixed(heldBytes / MEBI),
      fixed(peakBytes / MEBI),
    ]),
  };
}

function editTable(rows: Row[]): Table {
  const lines = rows.map(({ way, workloads, editsMs }) => [nameOf(way), number(workloads), ...spread(editsMs)]);
  const hops = rows
    .filter(({ hopsMs }) => hopsMs.length > 0)
    .map(({ workloads, hopsMs }) => ['at the point with the largest group', number(workloads), ...spread(hopsMs)]);
  return { head: ['one workload changed, ms', 'workloads', ...SPREAD_HEAD], rows: [...lines, ...hops] };
}

function stepTable(rows: Row[]): Table {
  const own = rows.filter(({ way }) => way === 'store');
  const words = own[0]?.steps.map(({ what }) => what) ?? [];
  return {
    head: ['of that, ms', ...own.map(({ workloads }) => number(workloads))],
    rows: words.map((what, n) => [what, ...own.map(({ steps }) => fixed(steps[n]?.tookMs ?? Number.NaN))]),
  };
}

function notesOf(rows: Row[]): string[] {
  const compared = rows
    .filter(({ way }) => way === 'whole')
    .map((whole) => {
      const store = rows.find((it) => it.way === 'store' && it.workloads === whole.workloads) as Row;
      const edit = median(whole.editsMs) / median(store.editsMs);
      return `${number(whole.workloads)} workloads in one piece: ${fixed(whole.fullMs / store.fullMs)} times the time from nothing, ${fixed(edit)} times for a change, ${fixed(whole.heldBytes / store.heldBytes)} times the memory.`;
    });
  const large = rows.find(({ way, workloads }) => way === 'store' && workloads === mostWhole);
  const full = rows.find(({ way, workloads }) => way === 'store' && workloads === sizes.at(-1));
  const aims = [
    `Aims: a change at ${number(mostWhole)} workloads p99 ≤ 200 ms: ${fixed(quantile(large?.editsMs ?? [], 0.99))} ms.`,
    `${number(sizes.at(-1) ?? 0)} workloads from nothing ≤ 60 s: ${fixed((full?.fullMs ?? Number.NaN) / 1000)} s.`,
  ];
  return [
    aims.join(' '),
    ...compared,
    `A change reaches ${fixed(large?.pointsPerEdit ?? Number.NaN)} points on average. Heads are not signed and nothing is sent here; the whole-piece way compiles what a point receives, which here each point does for itself.`,
  ];
}

function nameOf(way: Way): string {
  return way === 'store' ? 'documents and pages' : 'everything in one piece';
}

function number(value: number): string {
  return value.toLocaleString('en');
}
