/** What an edit takes away is judged on what is in force; that is compiled anew only where time ended something in it. */
import t from 'tap';
import { lossesOf } from '../src/edit-losses.ts';
import { type Builder, createBuilder, type ReadyBuild } from '../src/policy-build.ts';
import { changed, documentsOf, network, policy, rule, type Site, site } from './fixtures/site.ts';
import { inMinutes, minuteMs, noon } from './fixtures/stage.ts';

const grants = (cidrs: string[]): Site =>
  changed(site, {
    branches: network(cidrs, { expires: inMinutes(20) }),
    policy: policy([
      rule({ id: 'for-now', from: [{ cidr: '198.51.100.0/24' }], until: inMinutes(10) }),
      rule({ id: 'branches', from: [{ network: 'branches' }] }),
    ]),
  });

const cases = [
  { name: 'at the same instant', atMs: noon, builds: 0, losses: [0.25] },
  { name: 'before anything ends', atMs: noon + 9 * minuteMs, builds: 0, losses: [0.25] },
  { name: 'when a rule has ended', atMs: noon + 10 * minuteMs, builds: 1, losses: [0.5] },
  { name: 'when the network has ended too', atMs: noon + 21 * minuteMs, builds: 1, losses: [] },
  { name: 'by a clock that was set back', atMs: noon - minuteMs, builds: 1, losses: [0.25] },
];

for (const { name, atMs, builds, losses } of cases) {
  t.test(name, async (t) => {
    const builder = createBuilder(['edge-1']);
    const at = (documents: Site, nowMs: number): ReadyBuild => {
      const build = builder.build(documentsOf(documents), [], nowMs, null);
      if (build.state === 'refused') throw new Error(build.findings[0]?.message);
      return build;
    };
    const before = at(grants(['192.0.2.0/24']), noon);
    const after = at(grants(['192.0.2.0/25']), atMs);
    let asked = 0;
    const counting: Builder = {
      build: (...args) => {
        asked += 1;
        return builder.build(...args);
      },
    };
    const found = lossesOf(before, after, counting, atMs);
    t.strictSame(
      found.map(({ lostShare }) => lostShare),
      losses,
    );
    t.equal(asked, builds, 'so often something was compiled for it');
  });
}
