/** Every query for PostgreSQL, run by a role that reads views and nothing else, on a ledger that a real service filled. */
import type { DenyEvent } from '@edgeward/audit-collector';
import type { Postgres } from '@edgeward/test/kit';
import * as fc from 'fast-check';
import type { Test } from 'tap';
import { type Query, queries } from './committed.ts';
import { type Choices, type Span, type SqlQuoting, sql } from './interpolation.ts';
import { everything } from './samples.ts';
import { oddName, type Stage } from './stage.ts';

type Row = Record<string, unknown>;

const asked = queries().filter(({ kind }) => kind === 'sql');

function one(title: string): Query {
  const query = asked.find(({ name }) => name === `denials: ${title}`);
  if (query === undefined) throw new Error(`no query is called ${title}`);
  return query;
}

export function postgresQueries(t: Test, stage: Stage, postgres: Postgres): void {
  const text = (query: Query, choices: Choices, span: Span, quoting?: SqlQuoting): string =>
    sql(query.text, { variables: query.variables, choices: { ...everything, ...choices }, span }, quoting);
  const run = (title: string, choices: Choices = {}, span = stage.span()): Promise<Row[]> =>
    postgres.sql(text(one(title), choices, span));
  const denied = stage.denials.filter(({ verdict }) => verdict === 'deny');
  const [newest] = denied.slice(-1);
  if (newest === undefined) throw new Error('the stage has denials');

  t.test('every query has an answer', async (t) => {
    for (const query of asked) {
      const found = await postgres.sql(text(query, { ref: newest.ref ?? '' }, stage.span()));
      t.ok(found.length > 0, query.name);
      if (query.format === 'time_series') t.ok('time' in (found[0] ?? {}), `${query.name} has a time`);
      const columns = query.panel?.fieldConfig?.overrides.map(({ matcher }) => matcher.options) ?? [];
      t.strictSame(
        columns.filter((column) => !(column in (found[0] ?? {}))),
        [],
        `${query.name}: columns of the panel`,
      );
    }
  });

  t.test('what is counted is what the ledger has', async (t) => {
    const by = (pick: (event: DenyEvent) => string, events: readonly DenyEvent[] = denied): Record<string, number> => {
      const sums: Record<string, number> = {};
      for (const event of events) sums[pick(event)] = (sums[pick(event)] ?? 0) + event.count;
      return sums;
    };
    const shown = async (title: string, columns: readonly string[], value: string, choices: Choices = {}) => {
      const sums: Record<string, number> = {};
      for (const row of await run(title, choices)) {
        const key = columns.map((column) => String(row[column])).join(' | ');
        sums[key] = (sums[key] ?? 0) + Number(row[value]);
      }
      return sums;
    };
    const labels = (event: DenyEvent): string =>
      Object.entries(event.sourceLabels)
        .sort()
        .map(([key, value]) => `${key}=${value}`)
        .join(',') || 'no labels';
    const missing = ['object', 'reason', 'rule', 'nearest_rule', 'missed'];
    const causes = (events: readonly DenyEvent[]): Record<string, number> =>
      by(
        (event) =>
          [event.object, event.reason, event.rule ?? '', event.nearestRule ?? '', event.missed ?? ''].join(' | '),
        events,
      );
    t.strictSame(await shown('What was missing (A)', missing, 'denials'), causes(denied));
    const wouldBe = stage.denials.filter(({ verdict }) => verdict === 'would-deny');
    t.strictSame(await shown('What was missing (A)', missing, 'denials', { verdict: 'would-deny' }), causes(wouldBe));
    t.strictSame(
      await shown('Denials a minute, by reason (A)', ['metric'], 'denials'),
      by(({ reason }) => reason),
    );
    t.strictSame(
      await shown('Labels of the denied (A)', ['labels', 'object', 'reason'], 'denials'),
      by((event) => [labels(event), event.object, event.reason].join(' | ')),
    );
    t.strictSame(
      await shown('Denials by revision (A)', ['revision'], 'denials'),
      by(({ revision }) => String(revision)),
    );
    t.strictSame(
      await shown('Addresses denied most (A)', ['source'], 'denials'),
      by(({ source }) => source),
    );
    const pair = (event: DenyEvent): string => [labels(event), event.object, event.port].join(' | ');
    const edges = by(pair, stage.denials);
    t.strictSame(await shown('Denied for the first time (A)', ['labels', 'object', 'port'], 'denials'), edges);
    const pairs = (await run('New pairs (A)')).reduce((sum, row) => sum + Number(row.pairs), 0);
    t.equal(pairs, Object.keys(edges).length);
    const chosen = { object: [oddName] };
    t.strictSame(
      await shown('Addresses denied most (A)', ['source'], 'denials', chosen),
      by(
        ({ source }) => source,
        denied.filter(({ object }) => object === oddName),
      ),
      'an odd name chosen',
    );
  });

  t.test('the map has a node for each end of an edge, and every denial', async (t) => {
    const nodes = await run('Map of denials (nodes)');
    const edges = await run('Map of denials (edges)');
    const ids = nodes.map(({ id }) => id);
    t.equal(new Set(ids).size, ids.length, 'each node once');
    t.strictSame(
      edges.flatMap(({ source, target }) => [source, target]).filter((id) => !ids.includes(id)),
      [],
    );
    const total = denied.reduce((sum, { count }) => sum + count, 0);
    t.equal(
      edges.reduce((sum, { mainstat }) => sum + Number(mainstat), 0),
      total,
    );
    t.equal(
      nodes.reduce((sum, { mainstat }) => sum + Number(mainstat), 0),
      2 * total,
      'once at each end',
    );
  });

  t.test(
    'the denials themselves are those of the ledger, newest first, and each is found by its reference',
    async (t) => {
      const plain = (row: Row): Row => ({
        source: row.source,
        object: row.object,
        reason: row.reason,
        rule: row.rule,
        ref: row.ref,
        path: row.path,
        revision: Number(row.revision),
      });
      const rows = await run('Newest denials (A)');
      t.strictSame(
        rows.map(plain),
        [...denied].reverse().map((event) => plain(event as unknown as Row)),
      );
      const { ref, time } = newest;
      const found = await run(
        'The denial with this reference (A)',
        { ref: ref ?? '' },
        { ...stage.span(), fromMs: 0, toMs: 1 },
      );
      t.strictSame(
        found.map((row) => row.ref),
        [ref],
        'whatever the time range is',
      );
      t.strictSame(await run('The denial with this reference (A)', { ref: '0000000000000000' }), []);
      t.strictSame(await run('The denial with this reference (A)'), [], 'no reference');
      t.equal(Number(found[0]?.from_ms), Date.parse(time) - 300_000);
      t.equal(Number(found[0]?.to_ms), Date.parse(time) + 300_000);
      const { source } = newest;
      t.strictSame(new Set((await run('Newest denials (A)', { source })).map((row) => row.source)), new Set([source]));
      t.strictSame(await run('Newest denials (A)', {}, { ...stage.span(), fromMs: 0, toMs: 1 }), [], 'another time');
    },
  );

  t.test('what is chosen at the top is text, whatever stands in it', async (t) => {
    const hostile = [
      "'",
      "''",
      "' OR '1'='1",
      "'; DROP VIEW edgeward.denial_events; --",
      '\\',
      "\\' OR 1=1 --",
      '"',
      '$$',
      '$1',
      ':x',
      '*/ OR 1=1 /*',
      '--',
      "E'\\x27",
      `\${point}`,
      '\u02bc',
      '🙂',
    ];
    const names = ['point', 'object', 'reason', 'verdict', 'source', 'ref'];
    const counts = async (choices: Choices, quoting: SqlQuoting): Promise<number[]> => {
      const parts = asked.map(
        (query, index) =>
          `SELECT ${index} AS place, count(*) AS rows FROM (${text(query, choices, stage.span(), quoting)}) AS q${index}`,
      );
      const rows = await postgres.sql(`SELECT * FROM (${parts.join(' UNION ALL ')}) AS counted ORDER BY place`);
      return rows.map((row) => Number(row.rows));
    };
    const nothing = asked.map(() => 0);
    const check = async (value: string, quoting: SqlQuoting): Promise<void> => {
      const all = Object.fromEntries(
        names.map((name) => [name, ['verdict', 'source', 'ref'].includes(name) ? value : [value]]),
      );
      const found = await counts(all, quoting);
      // A new edge and a label set know objects alone; nobody is called as these are.
      if (found.join() !== nothing.join()) throw new Error(`${JSON.stringify(value)}, ${quoting}: ${found}`);
    };
    // Grafana looks for macros after it has put values in: one that it does not know is an error, and nothing is asked.
    const looksLikeMacro = /\$[_a-zA-Z0-9]+\(/;
    const refusal = async (value: string, quoting: SqlQuoting): Promise<void> => {
      const told = await check(value, quoting).then(String, String);
      if (!told.includes('unknown macro')) throw new Error(`${JSON.stringify(value)}, ${quoting}: ${told}`);
    };
    for (const value of hostile) for (const quoting of ['newer', 'older'] as const) await check(value, quoting);
    t.pass('what is known to break quotes');
    const seed = Number(process.env.EDGEWARD_SEED) || 1 + Math.floor(Math.random() * 0x7ffffffe);
    t.comment(`EDGEWARD_SEED=${seed}`);
    const pieces = fc.array(
      fc.constantFrom("'", '"', '\\', ';', '--', '/*', '*/', '$', '(', ')', ' ', 'a', 'OR 1=1', '\n'),
      { minLength: 1, maxLength: 12 },
    );
    const property = fc.asyncProperty(pieces, fc.constantFrom('newer' as const, 'older' as const), (some, quoting) => {
      const value = `x${some.join('')}`;
      return looksLikeMacro.test(value) ? refusal(value, quoting) : check(value, quoting);
    });
    await fc.assert(property, { seed, numRuns: 40 * Number(process.env.EDGEWARD_RUNS ?? 1) });
    await t.rejects(counts({ object: ['$__timeFrom()'] }, 'newer'), 'a macro in a name is an error, and no more');
  });

  t.test('the role that reads can read views, and nothing else', async (t) => {
    for (const statement of [
      'SELECT * FROM edgeward_ledger.events',
      'DELETE FROM edgeward.denial_totals',
      'INSERT INTO edgeward.denial_totals (point) VALUES (1)',
      'CREATE TABLE edgeward.mine (a int)',
      'DROP VIEW edgeward.denial_events CASCADE',
    ])
      await t.rejects(postgres.sql(statement), /permission denied|must be owner/, statement);
  });
}
