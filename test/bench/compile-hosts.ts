/**
 * Many hosts that one rule protects: compiled together, as the service does it, against each by itself, which is what it
 * would cost if they shared nothing. Then what an edit of that rule takes from them, the same two ways.
 */
import { createHash } from 'node:crypto';
import {
  type CompiledPolicy,
  type CompileMemo,
  compilePoint,
  compilePoints,
  type KnownLoss,
  linkModel,
  lostFlows,
  pointsOf,
  type Resolution,
  resolve,
} from '@edgeward/policy';
import type { Table } from './benchmark.ts';
import { fixed, median } from './statistics.ts';

interface Compared {
  what: string;
  togetherMs: number;
  aloneMs: number;
}

const runs = 5;
const digest = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
const options = { revision: 0, digest };

export function manyHosts(hosts: number, sources: number): Table {
  const number = (value: number): string => value.toLocaleString('en');
  return {
    head: [
      `${number(hosts)} hosts, one rule of ${number(sources)} sources`,
      'together, ms',
      'each alone, ms',
      'together / alone',
    ],
    rows: compare(hosts, sources).map(({ what, togetherMs, aloneMs }) => [
      what,
      fixed(togetherMs),
      fixed(aloneMs),
      fixed(togetherMs / aloneMs),
    ]),
  };
}

function compare(hosts: number, sources: number): Compared[] {
  const [before, after] = [resolved(hosts, sources), resolved(hosts, sources - 1)];
  const points = pointsOf(before);
  const memo = (): CompileMemo => ({ objects: Object.create(null) });
  const together = (resolution: Resolution, using = memo()): CompiledPolicy[] =>
    compilePoints(resolution, points, { ...options, memo: using }).policies;
  const kept = memo();
  const [was, is] = [together(before, kept), together(after, kept)];
  const losses = (known: () => KnownLoss[]): void => {
    was.forEach((policy, i) => {
      lostFlows(before, policy.objects, is[i]?.objects ?? [], () => false, known());
    });
  };
  const shared = (): void => {
    const known: KnownLoss[] = [];
    losses(() => known);
  };
  return [
    {
      what: 'compiled from nothing',
      togetherMs: medianOf(() => together(before)),
      aloneMs: tookMs(() => points.map((point) => compilePoint(before, point, options))),
    },
    {
      what: 'what taking one source away costs each',
      togetherMs: medianOf(shared),
      aloneMs: tookMs(() => losses(() => [])),
    },
  ];
}

function resolved(hosts: number, sources: number): Resolution {
  const documents = [
    ...Array.from({ length: hosts }, (_, i) => ({
      kind: 'Workload',
      name: `db-${i}`,
      labels: { app: 'db' },
      addresses: [`172.16.${i >> 8}.${i & 255}`],
      point: `host-${i}`,
      mode: 'enforce',
    })),
    // Every second address, so that none join.
    { kind: 'Network', name: 'clients', cidrs: Array.from({ length: sources }, (_, i) => address(2 * i)) },
    {
      kind: 'Policy',
      name: 'db',
      rules: [{ id: 'clients', from: [{ network: 'clients' }], to: "app == 'db'", ports: ['tcp/5432'] }],
    },
  ];
  const place = { file: 'hosts', locate: () => ({ line: 1, column: 1 }) };
  return resolve(
    linkModel(
      documents.map((value) => ({ ...place, value })),
      [],
    ),
    0,
  );
}

const address = (n: number): string => `11.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;

const medianOf = (run: () => unknown): number => median(Array.from({ length: runs }, () => tookMs(run)));

function tookMs(run: () => unknown): number {
  const from = performance.now();
  run();
  return performance.now() - from;
}
