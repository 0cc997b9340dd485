/** Every query of the dashboards parses, whatever is chosen at the top. */
import t from 'tap';
import { listQueries, queries } from './committed.ts';
import { logQl, promQl } from './interpolation.ts';
import { asOpened } from './samples.ts';
import { faultsOf, selectorsOf } from './syntax-tree.ts';

const names = [
  'edge-1',
  'a.b+c(d)',
  "o'brien",
  'back\\slash',
  '$__timeFrom()',
  `\${object}`,
  'ümläut',
  '*',
  '[[point]]',
  '`',
];

t.test('the parsers find what is wrong', async (t) => {
  t.strictSame(faultsOf('promql', 'sum(rate(up[5m]))'), []);
  t.ok(faultsOf('promql', 'sum(rate(up[5m])').length > 0);
  t.ok(faultsOf('promql', 'up{job=~"a"').length > 0);
  t.strictSame(faultsOf('logql', '{job="a"} | json | a="b"'), []);
  t.ok(faultsOf('logql', '{job="a" | json').length > 0);
  t.strictSame(selectorsOf('sum by (a) (rate(x_total{job="b"}[5m] offset 1h)) / y'), [
    { metric: 'x_total', labels: ['job'], range: '5m', call: 'rate' },
    { metric: 'y', labels: [], range: null, call: null },
  ]);
});

t.test('every query parses, with everything chosen, one name, or several', async (t) => {
  for (const { name, kind, text, variables } of queries()) {
    if (kind === 'sql') continue;
    const put = kind === 'promql' ? promQl : logQl;
    t.strictSame(faultsOf(kind, put(text, asOpened(variables))), [], name);
    for (const chosen of names) {
      const one = { point: [chosen], object: [chosen], reason: [chosen], job: [chosen], instance: [chosen] };
      t.strictSame(faultsOf(kind, put(text, asOpened(variables, one))), [], `${name}, ${chosen}`);
    }
    const all = { point: names, object: names, reason: names, job: names, instance: names };
    t.strictSame(faultsOf(kind, put(text, asOpened(variables, all))), [], `${name}, several`);
  }
});

t.test('every list at the top is asked for with a query that parses', async (t) => {
  for (const { name, series, label, variables } of listQueries()) {
    t.match(label, /^[a-z]+$/, name);
    t.strictSame(faultsOf('promql', promQl(series, asOpened(variables))), [], name);
  }
});
