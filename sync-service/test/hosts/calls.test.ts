/** What a host gets when it calls: over real TLS, by who its certificate says it is. */
import { openHostPolicy, type PolicyFloor } from '@edgeward/host-agent/protocol';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { type Answer, calling, policyFor, reportAt } from '../fixtures/calling.ts';

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'taken';
  } catch (thrown) {
    return thrown instanceof EdgewardError ? thrown.code : String(thrown);
  }
}

t.test('a certificate gets its own policy and no other, whatever the request says', async (t) => {
  const { key, shelf, host } = await calling(t);
  const [one, two] = [await host('host-1'), await host('host-2')];
  shelf.put(policyFor('host-1', 1));
  shelf.put(policyFor('host-2', 1, '10.77.0.0/16'));
  const keys = [key.publicKey];
  for (const [caller, point, gzip] of [
    [one, 'host-1', false],
    [two, 'host-2', true],
  ] as const) {
    const answer = await caller.policy({ gzip });
    t.equal(answer.status, 200);
    t.equal(answer.headers['content-encoding'], gzip ? 'gzip' : undefined, 'packed only for whom asks');
    const { policy } = await openHostPolicy(answer.bytes, { aud: point, keys, floor: null });
    t.strictSame(
      policy.objects.map(({ name }) => name),
      [`${point}-db`],
    );
    const other = point === 'host-1' ? 'host-2' : 'host-1';
    t.equal(
      await codeOf(openHostPolicy(answer.bytes, { aud: other, keys, floor: null })),
      'EDW_ERR_HOST_POLICY_AUDIENCE',
      'and it is of no use to the other',
    );
  }
  for (const path of ['/v1/host/policy?point=host-2', '/v1/host/policy?aud=host-2']) {
    const answer = await one.send('GET', path);
    t.equal((await openHostPolicy(answer.bytes, { aud: 'host-1', keys, floor: null })).head.aud, 'host-1', path);
  }
});

t.test('what was served and signed once is refused by a host that has something newer', async (t) => {
  const { key, shelf, host, clock } = await calling(t);
  const one = await host('host-1');
  shelf.put(policyFor('host-1', 4));
  const older = await one.policy();
  shelf.put(policyFor('host-1', 5, '10.30.1.5/32'));
  const newer = await one.policy();
  const open = (answer: Answer, floor: PolicyFloor | null) =>
    openHostPolicy(answer.bytes, { aud: 'host-1', keys: [key.publicKey], floor });
  const { head } = await open(newer, null);
  const floor = { revision: head.revision, hash: head.policyHash, issuedAt: head.issuedAt };
  t.equal(await codeOf(open(older, floor)), 'EDW_ERR_HOST_POLICY_OLDER');
  t.equal(await codeOf(open(newer, floor)), 'taken', 'the same one is no older one');
  // A grant that ends under a number of a central store: the clock stands still, and it is later all the same.
  shelf.put(policyFor('host-1', 5, '10.30.1.6/32'));
  const ended = await one.policy();
  t.equal(await codeOf(open(ended, floor)), 'taken', 'the later one of two under one number');
  const { head: last } = await open(ended, null);
  const after = { revision: 5, hash: last.policyHash, issuedAt: last.issuedAt };
  t.equal(await codeOf(open(newer, after)), 'EDW_ERR_HOST_POLICY_OLDER', 'and not the earlier one again');
  t.ok(Date.parse(last.issuedAt) - clock.now() < 1_000);
});

t.test('who is not a host of ours gets nothing', async (t) => {
  const { shelf, host, certificates, listener } = await calling(t);
  shelf.put(policyFor('host-1', 1));
  for (const [name, names] of [
    ['a host that is not configured', ['host-3']],
    ['a certificate of two hosts', ['host-1', 'host-2']],
  ] as const) {
    const caller = await host(...names);
    const answers = [await caller.policy(), await caller.report(), await caller.send('GET', '/')];
    t.strictSame(
      answers.map(({ status, code }) => [status, code]),
      answers.map(() => [403, 'EDW_ERR_HOST_UNKNOWN']),
      name,
    );
  }
  t.equal(listener.counts().refused.get('EDW_ERR_HOST_UNKNOWN'), 6, 'each is counted');
  const stranger = await calling(t);
  t.not(stranger.certificates.ca, certificates.ca);
  await t.rejects(fetch(`${listener.url}/v1/host/policy`), 'nobody without a certificate gets a word');
});

t.test('a host that has none is told so, and what it holds is not sent again', async (t) => {
  const { shelf, host } = await calling(t);
  const one = await host('host-1');
  const none = await one.policy();
  t.strictSame([none.status, none.code], [404, 'EDW_ERR_HOST_NO_POLICY']);
  const policy = policyFor('host-1', 3);
  shelf.put(policy);
  const first = await one.policy();
  const etag = `"3-${policy.hash.slice(0, 16)}"`;
  t.equal(first.headers.etag, etag);
  t.equal((await one.policy({ held: etag })).status, 304);
  const packed = await one.policy({ gzip: true });
  t.equal((await one.policy({ held: packed.headers.etag ?? '', gzip: true })).status, 304, 'packed, too');
  t.equal((await one.policy({ held: '"2-0123456789abcdef"' })).status, 200);
});

t.test('a long poll is answered at a new revision, when its time is over, and when the service ends', async (t) => {
  const { shelf, host, clock, listener } = await calling(t);
  const one = await host('host-1');
  const waiting = async (): Promise<void> => {
    for (let turn = 0; turn < 2_000 && shelf.waiting() === 0; turn += 1)
      await new Promise((next) => setImmediate(next));
    t.equal(shelf.waiting(), 1, 'it waits');
  };
  const before = one.policy({ waitSeconds: 55 });
  await waiting();
  shelf.put(policyFor('host-2', 1));
  t.equal(shelf.waiting(), 1, 'what another host is to hold wakes nobody');
  const policy = policyFor('host-1', 1);
  shelf.put(policy);
  t.equal((await before).status, 200, 'the first policy');
  const held = `"1-${policy.hash.slice(0, 16)}"`;
  const next = one.policy({ held, waitSeconds: 55 });
  await waiting();
  shelf.put(policy);
  t.equal(shelf.waiting(), 1, 'the same once more is nothing new');
  shelf.put({ ...policy, revision: 2 });
  t.match((await next).headers, { etag: `"2-${policy.hash.slice(0, 16)}"` }, 'a new number is news');
  const quiet = one.policy({ held: `"2-${policy.hash.slice(0, 16)}"`, waitSeconds: 55 });
  await waiting();
  await clock.advance(55_000);
  t.equal((await quiet).status, 304, 'nothing came');
  const gone = new AbortController();
  const left = one.policy({ held: `"2-${policy.hash.slice(0, 16)}"`, waitSeconds: 55, signal: gone.signal });
  await waiting();
  gone.abort();
  await t.rejects(left);
  for (let turn = 0; turn < 2_000 && shelf.waiting() > 0; turn += 1) await new Promise((next) => setImmediate(next));
  t.equal(shelf.waiting(), 0, 'nobody waits for a host that left');
  const last = (await host('host-1')).policy({ held: `"2-${policy.hash.slice(0, 16)}"`, waitSeconds: 55 });
  await waiting();
  await listener.close();
  t.equal((await last).status, 304, 'a service that ends lets it go');
});

t.test('a report is heard as that of its certificate, and answered with time and revision', async (t) => {
  const { shelf, reports, host, clock } = await calling(t);
  const one = await host('host-1');
  const answer = await one.report();
  t.strictSame(JSON.parse(answer.bytes.toString()), { now: new Date(clock.now()).toISOString(), revision: null });
  shelf.put(policyFor('host-1', 9));
  t.match(JSON.parse((await one.report({ warnings: ['no ulogd'] })).bytes.toString()), { revision: 9 });
  t.match(reports.of('host-1'), {
    report: { warnings: ['no ulogd'] },
    heardAtMs: clock.now(),
    remote: /127\.0\.0\.1$/,
  });
  t.equal(reports.of('host-2'), null, 'nobody said anything of another');
  const ahead = { clock: new Date(clock.now() + 90_000).toISOString() };
  await one.report(ahead);
  t.equal(reports.of('host-1')?.clockSkewMs, 90_000);
  for (const [name, body] of [
    ['no JSON', '{'],
    ['no report', '{}'],
    ['another version', JSON.stringify({ ...reportAt(0), v: 2 })],
  ] as const)
    t.equal((await one.send('POST', '/v1/host/report', body)).status, 400, name);
  t.equal((await one.send('POST', '/v1/host/report', ' '.repeat(200_000))).status, 413);
  t.equal(reports.of('host-1')?.clockSkewMs, 90_000, 'what is refused is not heard');
});

t.test('a host that asks too often is asked to wait; another one is not', async (t) => {
  const { shelf, host, listener } = await calling(t);
  const [one, two] = [await host('host-1'), await host('host-2')];
  for (const point of ['host-1', 'host-2']) shelf.put(policyFor(point, 1));
  const answers = await Promise.all(Array.from({ length: 130 }, () => one.policy()));
  const refused = answers.filter(({ status }) => status === 429);
  t.equal(refused.length, 30);
  t.match(refused[0], { code: 'EDW_ERR_HOST_TOO_MANY', headers: { 'retry-after': '1' } });
  t.equal((await two.policy()).status, 200);
  t.equal(listener.counts().refused.get('EDW_ERR_HOST_TOO_MANY'), 30, 'each is counted');
});
