/**
 * What the two rules cost in the simulator, as a ratio: the same virtual server with our rules, with rules of the same events
 * that say nothing, and with none. Slices of the three in turns. It says nothing about TMM, which compiles rules.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { openEcho } from './bigip-echo.ts';
import { type BigipEdge, startBigipEdge, type VirtualServer, withTclsh } from './bigip-edge.ts';
import { BENCH_POINT } from './bigip-policies.ts';
import { getRequest, openConnection } from './connection.ts';
import { fixed, median, quantile } from './statistics.ts';

const SOURCE = '127.0.2.1';
const ROUNDS = 25;
const CONNECTIONS = 80;
const REQUESTS = 250;
const KINDS = ['none', 'empty', 'ours'] as const;

type Kind = VirtualServer['rules'];

/** Microseconds for each time that something was done, in one slice. */
type Slice = (edge: BigipEdge, kind: Kind) => Promise<number>;

export const bigipCost: Benchmark = {
  name: 'bigip-cost',
  measures: 'time that the two iRules add to a connection and to a request in the simulator, as a ratio',
  run: (bench) => withTclsh(() => measure(bench)),
};

async function measure(bench: Bench): Promise<Result> {
  const virtuals = KINDS.flatMap((rules) =>
    (['http', 'tcp'] as const).map((protocol) => ({ bind: bindOf(rules, protocol), protocol, rules })),
  );
  const edge = await startBigipEdge(bench, { virtuals, policy: policyFor(), preface: false });
  const measured: [string, Slice][] = [
    ['TCP connection, allowed by address', connectionSlice],
    ['HTTP request, allowed by a condition', requestSlice],
  ];
  const rows: string[][] = [];
  for (const [words, slice] of measured) {
    bench.progress(words);
    rows.push([words, ...cellsOf(await inTurns(edge, slice))]);
  }
  return {
    state: 'measured',
    tables: [
      {
        head: ['µs, median', 'no rule', 'empty rule', 'ours', 'ours ÷ empty (quartiles)', 'ours ÷ none (quartiles)'],
        rows,
      },
    ],
    notes: [
      `${ROUNDS} slices of ${CONNECTIONS} connections or ${REQUESTS} requests for each kind, one at a time, through sockets; ratios within a round.`,
      'Of the simulator alone, where an event is a message to tclsh and back: the ratios say nothing about TMM, and the microseconds less.',
    ],
  };
}

function bindOf(kind: Kind, protocol: 'http' | 'tcp'): string {
  return `/Common/vs_${kind}_${protocol}`;
}

function policyFor(): CompiledPolicy {
  const objects = (['http', 'tcp'] as const).map((protocol) => ({
    kind: 'VirtualServer',
    name: protocol,
    labels: { app: protocol },
    point: BENCH_POINT,
    bind: bindOf('ours', protocol),
    ports: ['tcp/443'],
    protocol,
    mode: 'enforce',
  }));
  const from = [{ cidr: SOURCE }];
  const rules = [
    { id: 'orders', from, to: "app == 'http'", http: [{ methods: ['GET', 'POST'], path: '/v1/orders/*' }] },
    { id: 'db', from, to: "app == 'tcp'" },
  ];
  const policy = { kind: 'Policy', name: 'shop', rules };
  return compileDocuments([...objects, policy], { revision: 1, point: BENCH_POINT });
}

/** The first round warms up and is not counted. */
async function inTurns(edge: BigipEdge, slice: Slice): Promise<Record<Kind, number>[]> {
  const rounds: Record<Kind, number>[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const took = { none: 0, empty: 0, ours: 0 };
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) took[kind] = await slice(edge, kind);
    if (round > 0) rounds.push(took);
  }
  return rounds;
}

async function connectionSlice(edge: BigipEdge, kind: Kind): Promise<number> {
  const { port } = await edge.listener(bindOf(kind, 'tcp'));
  const from = performance.now();
  for (let n = 0; n < CONNECTIONS; n += 1) {
    const echo = await openEcho(port, SOURCE);
    if ((await echo.ask('hello\n')) !== 'hello\n') throw new Error(`no echo of ${kind}`);
    echo.close();
  }
  return ((performance.now() - from) * 1000) / CONNECTIONS;
}

async function requestSlice(edge: BigipEdge, kind: Kind): Promise<number> {
  const connection = await openConnection((await edge.listener(bindOf(kind, 'http'))).port, SOURCE);
  const request = getRequest('/v1/orders/7');
  await connection.ask(request);
  const from = performance.now();
  for (let n = 0; n < REQUESTS; n += 1) {
    const status = await connection.ask(request);
    if (status !== 200) throw new Error(`status ${status} of ${kind}`);
  }
  const tookMs = performance.now() - from;
  connection.close();
  return (tookMs * 1000) / REQUESTS;
}

function cellsOf(rounds: readonly Record<Kind, number>[]): string[] {
  const medians = KINDS.map((kind) => fixed(median(rounds.map((round) => round[kind]))));
  const ratio = (against: Kind): string => {
    const ratios = rounds.map((round) => round.ours / round[against]);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => fixed(quantile(ratios, part)));
    return `${middle} (${low} – ${high})`;
  };
  return [...medians, ratio('empty'), ratio('none')];
}
