/** The same in front of something: requests passed to another NGINX over kept connections, and requests that came over TLS. */
import { type Bench, type Benchmark, withTeardown } from './benchmark.ts';
import { aimTable, asShare, worst } from './nginx-aims.ts';
import { type Measured, measureRounds, paceOf } from './nginx-rounds.ts';
import { startSite, type Way } from './nginx-site.ts';
import { found, type Sized, shareTable, wrongVerdicts } from './nginx-tables.ts';

const SIZES = [10_000, 1_000_000];
const PACE = paceOf({ rounds: 9, sliceMs: 200 });
/** What the larger benchmark compares as well is not repeated for every way. */
const COMPARED = ['geo-ranges', 'lua', 'live', 'hybrid', 'hybrid-cached'];

export const nginxProxied: Benchmark = {
  name: 'nginx-proxied',
  measures: 'worker CPU per request where it is passed on, or came over TLS',
  async run(bench) {
    const sizes = bench.part.cidrs ?? SIZES;
    const proxied = await measureWay(bench, 'proxied', sizes);
    const tls = await measureWay(bench, 'tls', sizes);
    const everywhere = (name: string): number =>
      worst(sizes.map((count) => found(proxied, count, name, 'allowed')?.share ?? Number.NaN));
    return {
      state: 'measured',
      tables: [
        shareTable('passed on, sources in the list', proxied, 'allowed'),
        shareTable('passed on, sources that are not', proxied, 'denied'),
        shareTable('over TLS, sources in the list', tls, 'allowed'),
        shareTable('over TLS, sources that are not', tls, 'denied'),
        aimTable([
          { words: 'hybrid, passed on', measured: everywhere('hybrid'), least: 0.84, shown: asShare },
          {
            words: 'hybrid with the cached check, passed on',
            measured: everywhere('hybrid-cached'),
            least: 0.92,
            shown: asShare,
          },
        ]),
      ],
      notes: [
        'As in nginx-cost, each in an NGINX of its own. A denied request is not passed on, which the bare server does with all: a share above 1.',
        'TLS 1.3 on kept connections: what is encrypted is the request and the answer, not a handshake for each.',
        wrongVerdicts([...proxied, ...tls]),
      ],
    };
  },
};

async function measureWay(bench: Bench, way: Way, sizes: readonly number[]): Promise<Sized[]> {
  const sized: Sized[] = [];
  for (const count of sizes) {
    bench.progress(`${way}, ${count.toLocaleString('en')} CIDRs: starting`);
    const measured: Measured[] = await withTeardown(bench, async (own) =>
      measureRounds(own, await startSite(own, { count, way, only: bench.part.only ?? COMPARED }), PACE),
    );
    sized.push({ count, measured });
  }
  return sized;
}
