/** The one question of a point, asked of a real store: who may, what is answered, what is heard. */

import { createHttpsTransport } from '@edgeward/policy-feed';
import {
  answerFrom,
  type Head,
  type PointReport,
  payloadOf,
  questionText,
  type SignedHead,
} from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
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

async function heldBy(served: ServedStore, point: `edge-${number}` = 'edge-1'): Promise<SignedHead> {
  const { text } = await served.as(point, `/v1/points/${point}/head`);
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

t.test('the points of one certificate ask in one request', async (t) => {
  const served = await published(t);
  const both = await served.certificates.point('edge-1', 'edge-2', 'edge-3');
  const held = { 'edge-1': await heldBy(served), 'edge-2': await heldBy(served, 'edge-2') };
  const asked = (waitMs = 0, more: object = {}): Buffer => {
    const questions = Object.entries(held).map(([point, it]) => {
      const report = { ...reportOf(it), point };
      return [point, JSON.parse(questionText({ held: it, waitMs, report }))];
    });
    return Buffer.from(JSON.stringify({ ...Object.fromEntries(questions), ...more }));
  };
  const lines = (text: string): string[] => text.split('\n').slice(0, -1).sort();
  const ask = (sent: unknown) => served.ask(both, '/v1/next', { body: sent });

  t.equal((await ask(asked())).status, 204, 'nothing is newer');
  const waiting = ask(asked(60_000));
  await until('both wait', () => served.store.publishing.status().waiting === 2);
  for (const point of points) t.equal(served.store.reports.of(point)[0]?.report.point, point, 'it was heard');
  await served.inventory(...crms(6));
  const answer = await waiting;
  t.equal(answer.status, 200);
  t.equal(lines(answer.text).length, 2);
  for (const line of lines(answer.text)) {
    const point = line.slice(0, 6) as keyof typeof held;
    const { delta } = answerFrom(Buffer.from(line.slice(7)), held[point]);
    t.strictSame(delta.head, served.store.publishing.point(point)?.signed);
  }

  const good = JSON.parse(body(held['edge-1']).toString());
  const others = { 'edge-3': good, 'edge-9': good, 'edge-2': { ...good, tag: 'none' } };
  const told = lines((await ask(asked(60_000, others))).text);
  t.strictSame(
    told.map((line) => line.split(' ')[1]?.slice(0, 5)),
    ['{"hea', 'alone', 'alone', 'alone'],
    'of another certificate, of no policy, without a question that can be read: each asks by itself',
  );
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`edge-${n}`, good]));
  const none = JSON.stringify({ 'no name': good });
  for (const bad of ['[]', '{}', '"edge-1"', 'null', none, none.replace('no name', '__proto__'), JSON.stringify(many)])
    t.equal((await ask(Buffer.from(bad))).status, 400, bad.slice(0, 40));
});

t.test('a service asks for its points on one connection; each is answered when it has news', async (t) => {
  const served = await published(t);
  await served.publish(shopBundle([...points, 'edge-3', 'edge-4']));
  const names = ['edge-1', 'edge-2', 'edge-3', 'edge-4'] as const;
  const { cert, key } = await served.certificates.point('edge-1', 'edge-2', 'edge-3');
  const logger = createLogger({ level: 'silent' });
  const url = `https://127.0.0.1:${served.store.port}`;
  const transport = createHttpsTransport({ url, tls: { cert, key, ca: served.certificates.ca }, logger });
  t.teardown(() => transport.close());
  const held = await Promise.all(names.map((name) => heldBy(served, name)));
  const ending = new AbortController();
  const ask = (n: number, waitMs = 30_000) => {
    const it = held[n - 1];
    if (it === undefined) throw new Error(`no edge-${n}`);
    const asked = { held: it, waitMs, report: { ...reportOf(it), point: `edge-${n}` } };
    return transport.question?.(`edge-${n}`, asked, ending.signal) ?? Promise.reject(new Error('no question'));
  };
  const waiting = (): number => served.store.publishing.status().waiting;

  // The first of a service is asked at once, and does not know yet that there are others.
  t.match(await ask(1, 0), { news: { state: 'unchanged' }, heard: true });
  t.match(await Promise.all([ask(1, 0), ask(2, 0)]), [{ heard: true }, { heard: true }]);
  const asking = [ask(1), ask(2), ask(3)];
  await until('all wait', () => waiting() === 3);
  await t.rejects(ask(4), { code: 'EDW_ERR_STORE_NO_POINT' }, 'of another certificate: it alone is refused');
  t.equal(waiting(), 3);
  await served.publish(shopBundle(names, 'crm-2'));
  for (const answer of await Promise.all(asking)) t.match(answer, { news: { state: 'delta' }, heard: true });

  const left = ask(2);
  left.catch(() => {});
  ending.abort(new Error('over'));
  await t.rejects(left, { message: 'over' });
  await until('nobody waits', () => waiting() === 0);
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
