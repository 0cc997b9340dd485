/** A question and its answer say what a cursor, a report and a delta say, in fewer bytes; and no more is believed of them. */
import {
  answerBytes,
  answerFrom,
  cursorOf,
  deltaBytes,
  digestOf,
  type PointReport,
  questionOf,
  questionText,
  type SignedHead,
  tagOf,
} from '@edgeward/policy-format';
import t from 'tap';
import { createLastHop, createSignedWorld, simpleGroup, simpleSlices } from '../../test/kit/signed-world.ts';

const members = (...addresses: string[]) => ({ [simpleGroup()]: addresses });

async function world() {
  const store = await createSignedWorld({ seed: 'question' });
  await store.publish(simpleSlices(), { members: members('10.30.0.9') });
  const hop = createLastHop(store, 'edge-1');
  const { state } = await hop.take();
  const newest = (): SignedHead => ({ head: store.at('edge-1').head, signed: store.head('edge-1') });
  return { store, hop, state, held: { head: state.head, signed: state.signedHead }, newest };
}

const well = ({ head }: SignedHead): PointReport => ({
  ...{ typ: 'edgeward-report/1', point: 'edge-1', at: '2026-11-22T12:00:00.000Z', service: 'sync-eu-1' },
  ...{ epoch: head.epoch, revision: head.revision, applied: head.revision, state: 'current', nack: null },
  ...{ witnessed: head.log, contradicted: false, denials: { total: 0, sinceMs: 0 } },
});

t.test('a report arrives as it is, whatever of it goes without saying', async (t) => {
  const { held } = await world();
  const nack = { revision: 9, stage: 'fence', code: 'EDW_ERR_FENCE_MAX', message: 'too many' } as const;
  const cases: [name: string, report: Partial<PointReport>][] = [
    ['all is well', {}],
    ['nothing is applied', { applied: null, state: 'no-policy' }],
    ['it is behind', { revision: 1, applied: 1, state: 'behind' }],
    ['of another epoch', { epoch: 0, revision: 0, applied: null }],
    ['refused', { nack }],
    ['nothing was witnessed', { witnessed: null }],
    ['a rewritten record', { contradicted: true, witnessed: { size: 9, hash: 'a'.repeat(64) } }],
  ];
  for (const [name, change] of cases) {
    const report = { ...well(held), ...change };
    const text = questionText({ held, waitMs: 7_000, report });
    const asked = questionOf(JSON.parse(text), 'edge-1', () => held.head.log);
    t.strictSame(asked.report, report, name);
    t.match(asked, { from: { revision: held.head.revision }, issuedAt: held.head.issuedAt, waitMs: 7_000 }, name);
  }
  const silent = questionOf(JSON.parse(questionText({ held, waitMs: 0, report: null })), 'edge-1', () => null);
  t.equal(silent.report, null);
});

t.test('what was witnessed with a head that is no longer known is not made up', async (t) => {
  const { held } = await world();
  const text = questionText({ held, waitMs: 0, report: well(held) });
  t.equal(questionOf(JSON.parse(text), 'edge-1', () => null).report?.witnessed, null);
});

t.test('a question in any other shape is refused', async (t) => {
  const { held } = await world();
  const good = JSON.parse(questionText({ held, waitMs: 0, report: well(held) }));
  for (const [name, change] of [
    ['a key too many', { more: 1 }],
    ['no cursor', { from: '1.1.x' }],
    ['a cursor that counts too far', { from: `1.9999999999999999.${'a'.repeat(64)}` }],
    ['no time', { issuedAt: 'now' }],
    ['no tag', { tag: '../..' }],
    ['a wait below nothing', { waitMs: -1 }],
    ['a list for a report', { report: [] }],
    ['a report with more in it', { report: { ...good.report, more: 1 } }],
  ] as const)
    t.throws(() => questionOf({ ...good, ...change }, 'edge-1', () => null), { code: /^EDW_ERR_FORMAT_/ }, name);
  const { report } = questionOf({ ...good, report: { ...good.report, point: 'edge-2' } }, 'edge-1', () => null);
  t.equal(report?.point, 'edge-2', 'whose it is said to be is for the caller to judge');
});

t.test('an answer is the delta that it stands for, with what seldom changes or without', async (t) => {
  const { store, hop, state, held, newest } = await world();
  await store.move(members('10.30.0.9', '10.30.0.10'));
  const delta = store.delta('edge-1', cursorOf(state));
  if (delta === null) throw new Error('there is no way from there');
  const isKnown = tagOf(held) === tagOf(newest());
  t.ok(isKnown, 'only members changed');
  const short = answerBytes(newest(), delta.operations, true);
  t.strictSame(answerFrom(short, held), { delta, blobs: new Map() });
  t.strictSame(answerFrom(answerBytes(newest(), delta.operations, false), held).delta, delta);
  t.ok(short.length < deltaBytes(delta).length * 0.6);
  await hop.take();
});

t.test('what comes along is called by its own digest, whatever it was sent for', async (t) => {
  const { held, newest } = await world();
  const texts = ['{"rules":"a \\"quote\\" and ü"}', 'no JSON\n'].map((it) => Buffer.from(it));
  const { blobs } = answerFrom(answerBytes(newest(), [], false, texts), held);
  t.strictSame(
    [...blobs],
    texts.map((it) => [digestOf(it), it]),
  );
});

t.test('another decision, another root or another key has another tag', async (t) => {
  const { store, held, newest } = await world();
  const [{ protected: signer = '' } = {}] = held.signed.signatures;
  t.not(tagOf({ ...held, head: { ...held.head, root: 2 } }), tagOf(held));
  const signatures = [{ protected: `${signer}x`, signature: '' }];
  t.not(tagOf({ ...held, signed: { ...held.signed, signatures } }), tagOf(held));
  await store.publish(simpleSlices(['edge-1', 'edge-2'], { id: 'crm-2' }), { members: members('10.30.0.9') });
  t.not(tagOf(newest()), tagOf(held));
});

t.test('what was left out wrongly reaches no signed head, and nothing else is an answer', async (t) => {
  const { store, held, newest } = await world();
  await store.publish(simpleSlices(['edge-1', 'edge-2'], { id: 'crm-2' }), { members: members('10.30.0.9') });
  const { delta: wrong } = answerFrom(answerBytes(newest(), [], true), held);
  t.not(wrong.head.payload, newest().signed.payload);
  for (const text of [
    '[]',
    '{}',
    '{"head":null,"operations":[],"signatures":[]}',
    '{"head":{},"operations":[],"signatures":""}',
    '{"blobs":{},"head":{},"operations":[],"signatures":[]}',
    '{"blobs":[1],"head":{},"operations":[],"signatures":[]}',
    '{"blobs":["","","","",""],"head":{},"operations":[],"signatures":[]}',
    '{"head":{},"more":1,"operations":[],"signatures":[]}',
  ])
    t.throws(() => answerFrom(Buffer.from(text), held), { code: /^EDW_ERR_FORMAT_/ }, text);
});
