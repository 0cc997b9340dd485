/** A person has one large body in work at a time, however many connections and certificates there are. */
import type { ClientRequest } from 'node:http';
import { request } from 'node:https';
import t, { type Test } from 'tap';
import { createLargeBodies } from '../src/serving/large-bodies.ts';
import { type Ask, openServedStore, type PersonName, type ServedStore, shopBundle, until } from './serving-kit.ts';

const TWO_MB = 2 * 1024 * 1024;

interface Upload {
  sending: ClientRequest;
  answer: Promise<{ status: number; retryAfter: string | undefined; text: string }>;
}

/** The head of a large proposal, and the first byte of its body. */
async function begin(t: Test, served: ServedStore, who: PersonName, headers: object): Promise<Upload> {
  const { cert, key, ca } = await served.certificates.person(who);
  const sending = request({
    ...{ host: '127.0.0.1', port: served.store.port, path: '/v1/proposals', method: 'POST', agent: false },
    ...{ cert, key, ca, headers: { ...headers } },
  });
  t.teardown(() => sending.destroy());
  const answer: Upload['answer'] = new Promise((resolve, reject) => {
    sending.on('error', reject);
    sending.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text });
    });
  });
  answer.catch(() => {});
  await new Promise<void>((resolve) => sending.write('{', () => resolve()));
  return { sending, answer };
}

t.test('a second large body of a person waits until the first one is answered', async (t) => {
  const served = await openServedStore(t);
  const known = { 'content-length': TWO_MB };
  const large: Ask = { body: Buffer.alloc(TWO_MB, 0x20) };
  const first = await begin(t, served, 'ada', known);
  await until('it is at the door', async () => {
    const text = await (await fetch(`${served.store.metricsUrl}/metrics`)).text();
    return text.includes('edgeward_store_requests_total 1\n');
  });
  const second = await (await begin(t, served, 'ada', known)).answer;
  t.match(second, { status: 429, retryAfter: /^[1-5]$/, text: /EDW_ERR_STORE_RATE.*another large body/ });
  t.match(await (await begin(t, served, 'ada', {})).answer, { status: 429 }, 'one that does not say how large it is');
  t.equal((await served.as('ada', '/v1/proposals', { body: {} })).status, 400, 'a small one is not concerned');
  t.equal((await served.as('cleo', '/v1/proposals', large)).status, 400, 'nor is another person');
  t.match(await (await begin(t, served, 'flo', known)).answer, { status: 403 }, 'nor who may not propose');
  first.sending.end(Buffer.alloc(TWO_MB - 1, 0x20));
  t.match(await first.answer, { status: 400, text: /EDW_ERR_HTTP_BODY/ });
  const dry = JSON.stringify({ ...(await served.draft(shopBundle(['edge-1']))), dryRun: true });
  const good: Ask = { body: Buffer.from(dry.padEnd(TWO_MB)) };
  for (const name of ['the next one', 'and the one after it'])
    t.equal((await served.as('ada', '/v1/proposals', good)).status, 200, name);
  const entries = await served.store.folder.record.read({ after: 0, limit: 1_000 });
  t.equal(entries.filter(({ code }) => code === 'EDW_ERR_STORE_RATE').length, 1, 'told once, as asking too often is');
});

t.test('what was refused before it came, or whose client left, holds no place', async (t) => {
  const served = await openServedStore(t);
  const large: Ask = { body: Buffer.alloc(TWO_MB, 0x20) };
  const announced = { 'content-length': 200 * 1024 * 1024 };
  t.match(await (await begin(t, served, 'ada', announced)).answer, { status: 413 });
  t.equal((await served.as('ada', '/v1/proposals', large)).status, 400);

  const left = await begin(t, served, 'ada', { 'content-length': TWO_MB });
  await until('it is at the door', async () => {
    const text = await (await fetch(`${served.store.metricsUrl}/metrics`)).text();
    return text.includes('edgeward_store_requests_total 3\n');
  });
  t.match(
    await (await begin(t, served, 'ada', { 'content-length': TWO_MB })).answer,
    { status: 429 },
    'it has the place',
  );
  left.sending.destroy();
  // Of a body that is refused while it is sent, the answer may be lost.
  const accepted = async (): Promise<boolean> =>
    (await served.as('ada', '/v1/proposals', large).catch(() => null))?.status === 400;
  await t.resolves(until('the next one is accepted', accepted));
});

t.test('a place is given back by whose it is, and by nobody else', async (t) => {
  const bodies = createLargeBodies();
  const route = { maxBodyBytes: 2 * TWO_MB };
  const [one, two] = [{}, {}];
  t.equal(bodies.admit('ada', one, route), 0);
  t.ok(bodies.admit('ada', two, route) > 0);
  bodies.over(two);
  t.ok(bodies.admit('ada', two, route) > 0, 'the end of one is not the end of another');
  bodies.over(one);
  t.equal(bodies.admit('ada', two, route), 0);
});
