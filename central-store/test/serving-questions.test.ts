/** The one question of a point, asked of a real store: who may, what is answered, what is heard. */

import {
  answerFrom,
  type Head,
  type PointReport,
  payloadOf,
  questionText,
  type SignedHead,
} from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { crms, openServedStore, type ServedStore, shopBundle, until } from './serving-kit.ts';

const points = ['edge-1', 'edge-2'] as const;
const PATH = '/v1/points/edge-1/next';

async function published(t: Test): Promise<ServedStore> {
  const served = await openServedStore(t);
  await served.inventory(...crms(5));
  await served.publish(shopBundle(points));
  return served;
}

async function heldBy(served: ServedStore): Promise<SignedHead> {
  const { text } = await served.as('edge-1', '/v1/points/edge-1/head');
  const signed = JSON.parse(text) as SignedHead['signed'];
  return { signed, head: payloadOf(signed, 'a head', 16_384) as Head };
}

const reportOf = ({ head }: SignedHead): PointReport => ({
  ...{ typ: 'edgeward-report/1', point: 'edge-1', at: new Date().toISOString(), service: 'site-1' },
  ...{ epoch: head.epoch, revision: head.revision, applied: head.revision, state: 'current', nack: null },
  ...{ witnessed: head.log, contradicted: false, denials: { total: 0, sinceMs: 0 } },
});

const body = (held: SignedHead, waitMs = 0, report: PointReport | null = null): Buffer =>
  Buffer.from(questionText({ held, waitMs, report }));

t.test('a change is one question and one answer, and what there is to tell goes with the question', async (t) => {
  const served = await published(t);
  const held = await heldBy(served);
  const report = reportOf(held);
  const waiting = served.as('edge-1', PATH, { body: body(held, 60_000, report) });
  await until('it waits', () => served.store.publishing.status().waiting === 1);
  t.strictSame(served.store.reports.of('edge-1')[0]?.report, report, 'it was heard before it is answered');
  await served.inventory(...crms(6));
  const answer = await waiting;
  t.equal(answer.status, 200);
  const { delta, blobs } = answerFrom(answer.bytes, held);
  t.equal(blobs.size, 0);
  t.match(delta, { from: { revision: held.head.revision }, operations: [{ add: ['10.30.0.6'], remove: [] }] });
  t.strictSame(delta.head, served.store.publishing.point('edge-1')?.signed);
  t.notMatch(answer.text, held.head.rules.digest, 'what is held is not sent again');
});

t.test('with another version what its head names comes along, where it is small', async (t) => {
  const served = await published(t);
  const held = await heldBy(served);
  await served.publish(shopBundle(points, 'crm-2'));
  const answer = await served.as('edge-1', PATH, { body: body(held) });
  const { delta, blobs } = answerFrom(answer.bytes, held);
  const head = payloadOf(delta.head, 'a head', 16_384) as Head;
  t.strictSame([...blobs.keys()], [head.approval.digest, head.rules.digest]);
  t.strictSame(
    [...blobs.values()].map(({ length }) => length),
    [head.approval.bytes, head.rules.bytes],
  );
  const many = Array.from({ length: 2_000 }, (_, n) => `r-${n}`);
  await served.publish(shopBundle(points, many));
  const large = await served.as('edge-1', PATH, { body: body(held) });
  t.equal(answerFrom(large.bytes, held).blobs.size, 0, 'else they are fetched, and a mirror may have them');
});

t.test('an answer has the headers that it needs, and its connection stays', async (t) => {
  const served = await published(t);
  const held = await heldBy(served);
  const none = await served.as('edge-1', PATH, { body: body(held) });
  t.equal(none.status, 204);
  t.strictSame(
    Object.keys(none.headers).filter((name) => name !== 'connection'),
    ['date'],
  );
  await served.inventory(...crms(6));
  const packed = await served.as('edge-1', PATH, { body: body(held), headers: { 'accept-encoding': 'gzip' } });
  t.strictSame(
    Object.keys(packed.headers).filter((name) => name !== 'connection'),
    ['content-length', 'date'],
    'so little is not packed',
  );
});

t.test('the same state signed anew is an answer of no operation', async (t) => {
  const served = await published(t);
  const held = await heldBy(served);
  const older = { ...held, head: { ...held.head, issuedAt: '2020-01-01T00:00:00.000Z' } };
  const answer = await served.as('edge-1', PATH, { body: body(older, 60_000) });
  t.equal(answer.status, 200);
  const { delta } = answerFrom(answer.bytes, older);
  t.strictSame(delta.operations, []);
  t.strictSame(delta.head, held.signed);
});

t.test('from anywhere else the head is the way, and nobody asks for another', async (t) => {
  const served = await published(t);
  const held = await heldBy(served);
  const from = (change: Partial<Head>): Buffer => body({ ...held, head: { ...held.head, ...change } }, 60_000);
  const good = JSON.parse(body(held).toString());
  const cases: [name: string, who: 'edge-1' | 'edge-2' | 'flo', path: string, body: unknown, status: number][] = [
    ['another state', 'edge-1', PATH, from({ stateRoot: '0'.repeat(64) }), 303],
    ['another epoch', 'edge-1', PATH, from({ epoch: held.head.epoch + 1 }), 409],
    ["another's", 'edge-2', PATH, body(held), 404],
    ['of nobody', 'edge-1', '/v1/points/edge-99/next', body(held), 404],
    ['by a person', 'flo', PATH, body(held), 404],
    ['no JSON', 'edge-1', PATH, Buffer.from('{'), 400],
    ['no question', 'edge-1', PATH, {}, 400],
    ['deep', 'edge-1', PATH, Buffer.from(`${'['.repeat(5_000)}${']'.repeat(5_000)}`), 400],
    ['a report of another point', 'edge-1', PATH, { ...good, report: { ...reportOf(held), point: 'edge-2' } }, 400],
    ['a report that is none', 'edge-1', PATH, { ...good, report: { state: 'fine' } }, 400],
    ['large', 'edge-1', PATH, Buffer.alloc(20_000, 0x20), 413],
    ['as it should be', 'edge-1', PATH, good, 204],
  ];
  for (const [name, who, path, asked, status] of cases)
    t.equal((await served.as(who, path, { body: asked })).status, status, name);
  t.equal(served.store.reports.of('edge-2').length, 0, 'nobody speaks for another');
});

t.test('who waits is answered when the store ends', async (t) => {
  const served = await published(t);
  const held = await heldBy(served);
  const waiting = served.as('edge-1', PATH, { body: body(held, 60_000) });
  await until('it waits', () => served.store.publishing.status().waiting === 1);
  await served.stop();
  t.equal((await waiting).status, 204);
  await served.start();
  t.equal((await served.as('edge-1', PATH, { body: body(held) })).status, 204);
});
