import { createMetrics } from '@edgeward/runtime';
import t from 'tap';
import { metricNames } from '../src/metric-names.ts';

t.test('the first names keep theirs, all others are other, and that is counted by label', async (t) => {
  const registry = createMetrics({ processMetrics: false });
  const names = metricNames(registry);
  const bounds = { point: 2_000, object: 2_000, rule: 2_000, env: 200, timedPoint: 200 };
  for (const [kind, bound] of Object.entries(bounds) as [keyof typeof bounds, number][]) {
    const given = Array.from({ length: bound + 3 }, (_, n) => names[kind](`n-${n}`));
    t.strictSame(
      [given[0], given[bound - 1], ...given.slice(bound)],
      ['n-0', `n-${bound - 1}`, 'other', 'other', 'other'],
    );
    t.equal(names[kind]('n-7'), 'n-7', `${kind}: what is known stays known`);
  }
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('edgeward_'));
  t.strictSame(lines.map((line) => /label="([a-z-]+)"\} (\d+)$/.exec(line)?.slice(1)).sort(), [
    ['env', '3'],
    ['object', '3'],
    ['point', '3'],
    ['rule', '3'],
    ['timed-point', '3'],
  ]);
  names.close();
  t.equal((await registry.metrics()).trim(), '');
});
