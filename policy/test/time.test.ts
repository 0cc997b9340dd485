/** Time comes in as an argument: what ends does so at its instant, not before, and nothing else changes. */
import assert from 'node:assert/strict';
import { compilePoint, linkModel, nextChangeMs, resolve } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { network, policy, rule, server, workload } from './cases/case.ts';
import { asSource, compileDocuments, digest } from './compiled.ts';
import { arbitraryDirectory } from './generators/documents.ts';
import { search } from './runs.ts';

const END = '2026-12-24T18:00:00Z';
const END_MS = Date.parse(END);
const at = (ms: number): string => new Date(ms).toISOString();

const nextOf = (documents: unknown[], nowMs: number): number | null =>
  nextChangeMs(linkModel(documents.map(asSource), []), nowMs);

const fromNetwork = [{ network: 'branches' }];
const flow = { from: '192.0.2.7', to: 'front', port: 'tcp/443' };

t.test('what expires or ends names nobody from its instant on', async (t) => {
  const table: { name: string; documents: unknown[]; before: object; after: object }[] = [
    {
      name: 'a grant that ends',
      documents: [network(), server(), policy(rule({ from: fromNetwork, until: END }))],
      before: { verdict: 'allow', rule: 'r' },
      after: { verdict: 'deny', reason: 'unknown-source' },
    },
    {
      name: 'a network that expires under a grant',
      documents: [network({ expires: END }), server(), policy(rule({ from: fromNetwork }))],
      before: { verdict: 'allow', rule: 'r' },
      after: { verdict: 'deny', reason: 'unknown-source' },
    },
    {
      name: 'a denial that ends',
      documents: [
        network(),
        server(),
        policy(
          rule({ id: 'no', from: fromNetwork, action: 'deny', until: END }),
          rule({ id: 'yes', from: [{ any: true }] }),
        ),
      ],
      before: { verdict: 'deny', rule: 'no' },
      after: { verdict: 'allow', rule: 'yes' },
    },
    {
      name: 'a network that expires under a denial',
      documents: [
        network({ expires: END }),
        server(),
        policy(rule({ id: 'no', from: fromNetwork, action: 'deny' }), rule({ id: 'yes', from: [{ any: true }] })),
      ],
      before: { verdict: 'deny', rule: 'no' },
      after: { verdict: 'allow', rule: 'yes' },
    },
    {
      name: 'a grant that ends beside one that stays',
      documents: [
        network(),
        server(),
        policy(
          rule({ id: 'a', from: fromNetwork, until: END }),
          rule({ id: 'b', from: fromNetwork, ports: ['tcp/80', 'tcp/443'] }),
        ),
      ],
      before: { verdict: 'allow', rule: 'a' },
      after: { verdict: 'allow', rule: 'b' },
    },
  ];
  for (const { name, documents, before, after } of table) {
    const judged = (ms: number): object => compileDocuments(documents, at(ms)).decide(flow);
    t.match(judged(END_MS - 1), before, `${name}: a millisecond before`);
    t.match(judged(END_MS), after, `${name}: at its instant`);
    t.match(judged(END_MS + 1), after, `${name}: and after`);
    t.equal(nextOf(documents, END_MS - 1), END_MS, `${name}: it is the next change`);
    t.equal(nextOf(documents, END_MS), null, `${name}: and the last`);
  }
});

t.test('a network that never expires and a rule that never ends bring no change', async (t) => {
  t.equal(nextOf([], 0), null);
  t.equal(nextOf([network(), server(), policy(rule({ from: fromNetwork }))], 0), null);
});

t.test('the next change is the earliest that is still to come', async (t) => {
  const days = [3, 1, 2].map((day) => Date.parse(`2027-01-0${day}T00:00:00Z`));
  const documents = [
    server(),
    network({ expires: at(days[0] as number) }),
    policy(rule({ id: 'a', until: at(days[1] as number) }), rule({ id: 'b', until: at(days[2] as number) })),
  ];
  const [third, first, second] = days as [number, number, number];
  const table: [number, number | null][] = [
    [0, first],
    [first - 1, first],
    [first, second],
    [second - 1, second],
    [second, third],
    [third, null],
  ];
  for (const [nowMs, next] of table) t.equal(nextOf(documents, nowMs), next, at(nowMs));
});

t.test('times are read to the millisecond', async (t) => {
  for (const [until, ms] of [
    ['2026-12-24T18:00:00.5Z', END_MS + 500],
    ['2026-12-24T18:00:00.05Z', END_MS + 50],
    ['2026-12-24T18:00:00.005Z', END_MS + 5],
    ['2028-02-29T00:00:00Z', Date.parse('2028-02-29T00:00:00Z')],
  ] as const) {
    t.equal(nextOf([server(), policy(rule({ until }))], 0), ms, until);
  }
});

t.test('between two changes nothing that points receive depends on the time', async (t) => {
  const received = (documents: unknown[], nowMs: number): string => {
    const resolution = resolve(linkModel(documents.map(asSource), []), nowMs);
    const points = [...new Set(resolution.objects.map(({ point }) => point))];
    return JSON.stringify(points.map((point) => compilePoint(resolution, point, { revision: 0, digest })));
  };
  const start = Date.parse('2025-01-01T00:00:00Z');
  fc.assert(
    fc.property(arbitraryDirectory(), fc.double({ min: 0, max: 1, noNaN: true }), (documents, share) => {
      let nowMs = start;
      // Few instants stand in a directory; one more than all of them would never end.
      for (let changes = 0; changes < 20; changes += 1) {
        const next = nextOf(documents, nowMs);
        const last = (next ?? nowMs + 1e12) - 1;
        const between = Math.floor(nowMs + (last - nowMs) * share);
        const now = received(documents, nowMs);
        assert.equal(received(documents, between), now);
        assert.equal(received(documents, last), now);
        if (next === null) return;
        nowMs = next;
      }
      assert.fail('a directory changes for ever');
    }),
    search(t, 60),
  );
});

t.test('a workload has no time: its groups stay as they are when time moves', async (t) => {
  const documents = [workload(), server(), policy(rule({ from: [{ workloads: "app == 'crm'" }], until: END }))];
  const model = linkModel(documents.map(asSource), []);
  const before = resolve(model, END_MS - 1);
  const after = resolve(model, END_MS, before);
  t.strictSame(Object.values(after.groups), Object.values(before.groups));
  t.match([before.rules[0]?.ended, after.rules[0]?.ended], [false, true]);
});
