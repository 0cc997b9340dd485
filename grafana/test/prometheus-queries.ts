/** Every query for Prometheus, run on a real one that scrapes a real service: none is empty, and the numbers are the ledger's. */
import type { Test } from 'tap';
import { type DashboardVariable, listQueries, type Query, queries } from './committed.ts';
import { type Choices, promQl } from './interpolation.ts';
import { everything } from './samples.ts';
import { jobs, type Stage } from './stage.ts';

interface Answer {
  labels: Record<string, string>;
  /** The last one that is a number. */
  value: number;
}

async function run(stage: Stage, query: Query, choices: Choices = {}): Promise<Answer[]> {
  const span = stage.span();
  const text = promQl(query.text, { variables: query.variables, choices: { ...everything, ...choices }, span });
  if (query.isInstant) return (await stage.prometheus.query(text)).filter(({ value }) => !Number.isNaN(value));
  const ranged = await stage.prometheus.queryRange(text, {
    startMs: span.fromMs,
    endMs: span.toMs,
    stepMs: span.stepMs,
  });
  return ranged.flatMap(({ labels, points }) => {
    const numbers = points.map(([, value]) => value).filter((value) => !Number.isNaN(value));
    const value = numbers.at(-1);
    return value === undefined ? [] : [{ labels, value }];
  });
}

const asked = queries().filter(({ kind }) => kind === 'promql');

function one(name: string): Query {
  const query = asked.find((each) => each.name === name);
  if (query === undefined) throw new Error(`no query is called ${name}`);
  return query;
}

/** Metrics that a service with one NGINX does not have. */
const elsewhere: Record<string, RegExp> = {
  'hosts have agents, and need root': /edgeward_host_/,
  'the forwarder reads the log, not the service': /edgeward_deny_log_(lag_bytes|unreadable)/,
  'a BIG-IP sends by syslog': /edgeward_syslog_/,
  'a store is another daemon': /edgeward_store_/,
  'break-glass comes of a store': /edgeward_policy_break_glass/,
  'nothing was lost, late or wrong':
    /edgeward_(proof_failures|events_(missing|late|duplicates|unparsed)|deny_log_losses|sink_(rejected|lost|retries)|batches_(deferred|refused)|forwarder_(failing|retries|unparsed|losses)|metric_names_folded)/,
  'the policy has no warning': /edgeward_policy_warnings/,
};

/** The alert of the stage is of no point and no daemon. */
const isOfAlerts = (column: string): boolean => ['point', 'instance', 'job'].includes(column);

export function prometheusQueries(t: Test, stage: Stage): void {
  const real = { job: [jobs.real] };

  t.test('every query has an answer where everything is there, and where it can be on the real service', async (t) => {
    for (const query of asked) {
      t.ok((await run(stage, query)).length > 0, query.name);
      const isElsewhere = Object.values(elsewhere).some((metric) => metric.test(query.text));
      if (!isElsewhere) t.ok((await run(stage, query, real)).length > 0, `${query.name}, of the service alone`);
    }
  });

  t.test('legends and columns name labels that answers have', async (t) => {
    const labelsOf = async (query: Query): Promise<string[]> => [
      ...new Set((await run(stage, query)).flatMap(({ labels }) => Object.keys(labels))),
    ];
    for (const query of asked) {
      const named = [...query.legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      if (named.length === 0) continue;
      const there = await labelsOf(query);
      t.strictSame(
        named.filter((label) => !there.includes(label)),
        [],
        query.name,
      );
    }
    const tables = new Set(asked.flatMap(({ panel, format }) => (format === 'table' && panel !== null ? [panel] : [])));
    for (const panel of tables) {
      const of = asked.filter((query) => query.panel === panel);
      const values = of.length === 1 ? ['Value'] : of.map(({ refId }) => `Value #${refId}`);
      const there = ['Time', ...values, ...(await Promise.all(of.map(labelsOf))).flat()];
      const columns = panel.fieldConfig?.overrides.map(({ matcher }) => matcher.options) ?? [];
      t.strictSame(
        columns.filter((column) => !there.includes(column) && !isOfAlerts(column)),
        [],
        panel.title,
      );
    }
    t.ok(tables.size > 5, 'tables were found');
  });

  t.test('every list at the top has what there is, with all and with one daemon chosen', async (t) => {
    const listed = async (
      series: string,
      label: string,
      variables: readonly DashboardVariable[],
    ): Promise<string[]> => {
      const text = promQl(series, { variables, choices: { ...everything, ...real }, span: stage.span() });
      const samples = await stage.prometheus.query(`group by (${label}) (${text})`);
      return samples.map(({ labels }) => labels[label] ?? '').sort();
    };
    const { host } = new URL(stage.service.url);
    const expected: Record<string, string[]> = {
      job: [jobs.real],
      instance: [host, stage.forwarder, 'collector'].sort(),
      point: ['edge-1'],
      object: ['billing-front', "o'brien", 'order-front'],
      reason: ['denied-by-rule', 'unknown-object', 'unknown-source'],
    };
    for (const { name, series, label, variables } of listQueries())
      t.strictSame(
        await listed(series, label, variables),
        label === 'job' ? [jobs.documented, jobs.real] : expected[label],
        name,
      );
  });

  t.test('what is counted is what the ledger has, the first denial of a kind included', async (t) => {
    const sums = (
      pick: (event: Stage['denials'][number]) => string | null,
      verdict = 'deny',
    ): Record<string, number> => {
      const found: Record<string, number> = {};
      for (const event of stage.denials) {
        const key = event.verdict === verdict ? pick(event) : null;
        if (key !== null) found[key] = (found[key] ?? 0) + event.count;
      }
      return found;
    };
    const shown = async (name: string, label: string, choices: Choices = {}): Promise<Record<string, number>> => {
      const answers = await run(stage, one(name), { ...real, ...choices });
      return Object.fromEntries(answers.map(({ labels, value }) => [labels[label] ?? '', Math.round(value)]));
    };
    const all = (): string => '';
    t.strictSame(await shown('denials: Denied in this range (A)', ''), sums(all));
    t.strictSame(await shown('denials: Would be denied (A)', ''), sums(all, 'would-deny'));
    t.strictSame(sums(all), { '': 8 }, 'the stage is what it was');
    t.strictSame(
      await shown('denials: Objects (A)', 'object'),
      sums(({ object }) => object),
    );
    t.strictSame(
      await shown('denials: Reasons (A)', 'reason'),
      sums(({ reason }) => reason),
    );
    t.strictSame(await shown('denials: Rules that deny (A)', 'rule'), { 'no-strangers': 1 });
    t.strictSame(
      await shown('denials: Points (A)', 'point'),
      sums(({ point }) => point),
    );
    const wouldBe = { verdict: 'would-deny' };
    t.strictSame(
      await shown('denials: Objects (A)', 'object', wouldBe),
      sums(({ object }) => object, 'would-deny'),
    );
    t.strictSame(
      await shown('denials: Denied in this range (A)', '', { object: ["o'brien"] }),
      { '': 1 },
      'an odd name',
    );
    const observed = { object: ['billing-front'] };
    t.strictSame(await shown('denials: Would be denied (A)', '', observed), { '': 2 }, 'an object chosen');
    t.strictSame(await shown('denials: Denied in this range (A)', '', observed), {}, 'another one');
  });

  t.test('what was allowed before and is denied now is told, with the revision that did it', async (t) => {
    const rows = async (name: string): Promise<unknown> =>
      (await run(stage, one(name), real)).map(({ labels, value }) => [labels.object, Math.round(value)]);
    const table = 'denials: Allowed last week, denied now';
    t.strictSame(await rows(`${table} (denials)`), [['order-front', 1]]);
    t.strictSame(await rows(`${table} (since)`), [['order-front', 2]]);
  });

  t.test('the books add up, and are those of the status', async (t) => {
    const { denials } = (await stage.service.status()).points[0] ?? {};
    const values = async (name: string): Promise<number[]> =>
      (await run(stage, one(name), real)).map(({ value }) => value);
    t.strictSame(await values('pipeline: The books of every point (stored)'), [denials?.stored]);
    t.strictSame(await values('pipeline: The books of every point (observed)'), [denials?.counted]);
    t.strictSame(await values('pipeline: The books of every point (nowhere)'), [0]);
    t.strictSame(await values('denials: Enforced, not logged (A)'), [0]);
    t.strictSame(await values('denials: New gaps (A)'), [0]);
    t.strictSame(await values('pipeline: Every sink (lag)'), [0]);
  });

  t.test('what the forwarder read is what the service stored, and nothing waits between the two', async (t) => {
    const values = async (name: string): Promise<number[]> =>
      (await run(stage, one(name), real)).map(({ value }) => value);
    const count = stage.denials.length;
    for (const name of ['lines_read', 'records_spooled', 'records_acknowledged']) {
      const total = `edgeward_forwarder_${name}_total{instance="${stage.forwarder}"}`;
      t.match(await stage.prometheus.query(total), [{ value: count }], name);
    }
    t.strictSame(await values('pipeline: Every forwarder (records)'), [0]);
    t.strictSame(await values('pipeline: Every forwarder (unread)'), [0]);
    t.strictSame(await values('pipeline: Every forwarder (shed)'), [0]);
    t.strictSame(await values('pipeline: Every sender (waiting)'), [0]);
    t.strictSame(await values('pipeline: Every sender (shed)'), [0]);
    const [{ labels, value } = { labels: {}, value: -1 }] = await run(
      stage,
      one('pipeline: Every sender (heard)'),
      real,
    );
    t.match(labels, { sender: 'edge-1' });
    t.ok(value >= 0 && value < 3600, 'heard of seconds ago, and not years');
  });

  t.test('what is proven is told, and is in no count of denials', async (t) => {
    const values = async (name: string): Promise<number[]> =>
      (await run(stage, one(name), real)).map(({ value }) => value);
    t.strictSame(await values('denials: Not enforced (A)'), [0]);
    t.strictSame(await values('denials: Without proof (A)'), [0]);
    t.strictSame(await values('fleet: Proven, over time (A)'), [1, 1]);
    const [age = -1] = await values('denials: Proven (A)');
    t.ok(age >= 0 && age < 3600, 'seconds ago, and not years');
  });

  t.test('revisions are those of the points, and the change of one is a mark that names it', async (t) => {
    const point = (await stage.service.status()).points[0];
    const value = async (name: string): Promise<number | undefined> => (await run(stage, one(name), real))[0]?.value;
    const table = 'fleet: Every point, those that are behind first';
    t.equal(await value(`${table} (desired)`), point?.desiredRevision);
    t.equal(await value(`${table} (applied)`), point?.appliedRevision);
    t.equal(await value(`${table} (behind)`), 0);
    t.equal(await value('denials: Points not current (A)'), 0);
    const marks = await run(stage, one('denials: Policy revisions (Anno)'), real);
    t.ok(
      marks.some(({ labels }) => labels.revision === '2'),
      'revision 2 is marked',
    );
  });
}
