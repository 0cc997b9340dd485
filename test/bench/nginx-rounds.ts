/**
 * Slices of all variants in turns, in the other order each round, so that what else the machine does falls on all of them. What
 * counts is the time that NGINX's worker was on a CPU for one request; requests per second depend on who asks as well.
 */
import type { Bench } from './benchmark.ts';
import { cpuMicros } from './nginx-load.ts';
import type { Site, Variant } from './nginx-site.ts';
import { median, quantile } from './statistics.ts';

export interface Measured {
  variant: Variant;
  traffic: Traffic;
  /** Worker CPU for one request, in microseconds. */
  micros: number;
  /** Beyond the bare server of the same round: median and quartiles. */
  addedMicros: number;
  addedQuartiles: [number, number];
  /** What is left of the unprotected throughput of a worker: CPU of the bare server ÷ CPU of this one. */
  share: number;
  /** Seen here, where whoever asks has the other core. */
  perSecond: number;
  /** Of one core. */
  busy: number;
  p99Ms: number;
  asked: number;
  wrong: number;
}

export type Traffic = 'allowed' | 'denied';

export interface Pace {
  rounds: number;
  sliceMs: number;
}

interface Take {
  micros: number;
  perSecond: number;
  busy: number;
  p99Ms: number;
  asked: number;
  wrong: number;
}

const CONNECTIONS = 16;

/** `EDGEWARD_BENCH_ROUNDS` and `EDGEWARD_BENCH_SLICE_MS` make it shorter. */
export function paceOf(usual: Pace): Pace {
  const asked = (name: string, otherwise: number): number => Number(process.env[`EDGEWARD_BENCH_${name}`] ?? otherwise);
  return { rounds: asked('ROUNDS', usual.rounds), sliceMs: asked('SLICE_MS', usual.sliceMs) };
}

export async function measureRounds(bench: Bench, site: Site, pace: Pace): Promise<Measured[]> {
  const tasks = site.variants.flatMap((variant) =>
    (['allowed', 'denied'] as const)
      .filter((traffic) => (variant.bare ? traffic === 'allowed' : traffic === 'denied' || !variant.deniedOnly))
      .map((traffic) => ({ variant, traffic, takes: [] as Take[] })),
  );
  // Thrown away: the first requests pay for what is warm later.
  for (const { variant, traffic } of tasks) await take(site, variant, traffic, pace.sliceMs / 2);
  for (let round = 0; round < pace.rounds; round += 1) {
    for (const { variant, traffic, takes } of round % 2 === 0 ? tasks : tasks.toReversed())
      takes.push(await take(site, variant, traffic, pace.sliceMs));
    bench.progress(`round ${round + 1} of ${pace.rounds}`);
  }
  const bare = tasks.find(({ variant }) => variant.bare)?.takes ?? [];
  return tasks.map(({ variant, traffic, takes }) => measured(variant, traffic, takes, bare));
}

async function take(site: Site, { port, bare }: Variant, traffic: Traffic, ms: number): Promise<Take> {
  const before = await cpuMicros(site.worker);
  const sliced = await site.load.slice({
    port,
    tls: site.way === 'tls',
    path: '/v1/orders/7',
    sources: traffic,
    status: traffic === 'denied' && !bare ? 403 : 200,
    connections: CONNECTIONS,
    ms,
  });
  const spent = (await cpuMicros(site.worker)) - before;
  const { asked, wrong, seconds, p99Ms } = sliced;
  return { micros: spent / asked, perSecond: asked / seconds, busy: spent / 1e6 / seconds, p99Ms, asked, wrong };
}

function measured(variant: Variant, traffic: Traffic, takes: readonly Take[], bare: readonly Take[]): Measured {
  const middle = (of: (take: Take) => number): number => median(takes.map(of));
  const sum = (of: (take: Take) => number): number => takes.reduce((total, take) => total + of(take), 0);
  const bareMicros = (round: number): number => bare[round]?.micros ?? Number.NaN;
  const added = takes.map((take, round) => take.micros - bareMicros(round));
  return {
    variant,
    traffic,
    micros: middle((take) => take.micros),
    addedMicros: median(added),
    addedQuartiles: [quantile(added, 0.25), quantile(added, 0.75)],
    share: median(takes.map((take, round) => bareMicros(round) / take.micros)),
    perSecond: middle((take) => take.perSecond),
    busy: middle((take) => take.busy),
    p99Ms: middle((take) => take.p99Ms),
    asked: sum((take) => take.asked),
    wrong: sum((take) => take.wrong),
  };
}
