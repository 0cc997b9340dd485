/**
 * What a verdict costs NGINX's worker, beside what people would use instead: in one NGINX, with lists of 100 to a million CIDRs,
 * for sources that are in the list and for sources that are not.
 */
import { type Bench, type Benchmark, type Result, withTeardown } from './benchmark.ts';
import { type Aim, aimTable, asShare, worst } from './nginx-aims.ts';
import { measureRounds, paceOf } from './nginx-rounds.ts';
import { startSite } from './nginx-site.ts';
import { detailTable, found, type Sized, shareTable, wrongVerdicts } from './nginx-tables.ts';

const SIZES = [100, 10_000, 100_000, 1_000_000];
/** The size of the table that says more. */
const SHOWN = 10_000;
const PACE = paceOf({ rounds: 11, sliceMs: 200 });

export const nginxCost: Benchmark = {
  name: 'nginx-cost',
  measures: 'worker CPU per request of live and hybrid mode beside their peers, in one NGINX',
  async run(bench) {
    const sized: Sized[] = [];
    for (const count of bench.part.cidrs ?? SIZES) sized.push({ count, measured: await measureSize(bench, count) });
    return resultOf(sized);
  },
};

function measureSize(bench: Bench, count: number): Promise<Sized['measured']> {
  return withTeardown(bench, async (own) => {
    bench.progress(`${count.toLocaleString('en')} CIDRs: starting`);
    const site = await startSite(own, { count, way: 'memory', only: bench.part.only });
    return measureRounds(own, site, PACE);
  });
}

function resultOf(sized: readonly Sized[]): Result {
  const shown = sized.find(({ count }) => count === SHOWN) ?? sized[0];
  return {
    state: 'measured',
    tables: [
      shareTable('sources that are in the list', sized, 'allowed'),
      shareTable('sources that are not', sized, 'denied'),
      detailTable(`${shown?.count.toLocaleString('en')} CIDRs`, shown?.measured ?? []),
      aimTable(aimsOf(sized)),
    ],
    notes: [
      'Shares: what is left of the unprotected throughput of a worker, CPU per request of the bare server ÷ that of this one in the same round, median of the rounds; in brackets the microseconds beyond it. 4,000 sources, an `empty_gif` behind each server.',
      `${PACE.rounds} rounds of ${PACE.sliceMs} ms slices, in the other order each round, 16 kept connections, one worker; worker and generator each on a core of its own. Requests per second are those of this machine with this generator, and where the worker is not a whole core busy the generator is the limit.`,
      'Denied: a flood of one window. Edgeward counts each denial, writes the first and tells the rest by their number; native rules and Lua say nothing, but for the rows that name a log.',
      wrongVerdicts(sized),
    ],
  };
}

function aimsOf(sized: readonly Sized[]): Aim[] {
  const share = (count: number, name: string, traffic: 'allowed' | 'denied' = 'allowed'): number =>
    found(sized, count, name, traffic)?.share ?? Number.NaN;
  const everywhere = (name: string): number => worst(sized.map(({ count }) => share(count, name)));
  const aims: Aim[] = [
    { words: 'hybrid, at any size', measured: everywhere('hybrid'), least: 0.75, shown: asShare },
    {
      words: 'hybrid, rules that name ports or methods',
      measured: everywhere('hybrid-ports'),
      least: 0.7,
      shown: asShare,
    },
    { words: 'hybrid, with the cached check', measured: everywhere('hybrid-cached'), least: 0.83, shown: asShare },
  ];
  for (const count of [100_000, 1_000_000]) {
    const words = `${count.toLocaleString('en')} CIDRs`;
    for (const [peer, called] of [
      ['lua', 'Lua'],
      ['lua-lean', 'the leaner Lua'],
    ] as const) {
      const allowed = share(count, 'live') / share(count, peer);
      const denied = share(count, 'live', 'denied') / share(count, peer, 'denied');
      aims.push(
        { words: `live ÷ ${called}, allowed, ${words}`, measured: allowed, least: 0.85, shown: asShare },
        { words: `live ÷ ${called}, denied, ${words}`, measured: denied, least: 1, shown: asShare },
      );
    }
  }
  const flat = share(1_000_000, 'live') / share(10_000, 'live');
  aims.push({ words: 'live is flat: its share at 1M ÷ at 10k', measured: flat, least: 0.9, shown: asShare });
  return aims;
}
