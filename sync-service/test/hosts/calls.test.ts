/** What a host gets when it calls: over real TLS, by who its certificate says it is. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BLOBS_PATH,
  blobsIn,
  headPath,
  openHostPolicy,
  type PolicyFloor,
  rootPath,
} from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import { digestOf, type PointState } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import { createSignedWorld, simpleGroup } from '@edgeward/test/kit';
import t from 'tap';
import { type Answer, calling, policyFor, reportAt } from '../fixtures/calling.ts';
import { CRM, hostSlices, verifyingHost } from '../fixtures/verifying-host.ts';

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

t.test(
  'a host with a pinned trust root takes what people approved, and nothing that its service alone says',
  async (t) => {
    const it = await verifyingHost(t);
    await it.publish();
    t.equal(await it.offered(), 'approved');
    const [first] = it.stage.policy.evidence.states('host-1');
    const old = it.policy();
    await it.move(CRM, '10.30.1.2');
    t.equal(await it.offered(), 'approved', 'a member more');
    const honest = it.policy();
    const [object] = honest.objects;
    const opened = { ...honest, objects: honest.objects.map((one) => ({ ...one, mode: 'off' as const })) };
    const stranger = await createSignedWorld({ seed: 'stranger' });
    await stranger.publish(hostSlices(), { members: { [simpleGroup()]: [CRM] } });
    const forged = await it.world.forge(
      'host-1',
      (head) => ({ ...head, revision: head.revision + 1 }),
      stranger.keys.store,
    );
    const [state] = it.stage.policy.evidence.states('host-1');
    if (state === undefined || first === undefined || object === undefined) throw new Error('nothing is followed');
    const later = { ...state, head: { ...state.head, revision: state.head.revision + 1 }, signedHead: forged };
    const cases: { name: string; policy: CompiledPolicy; states?: readonly PointState[]; code: string }[] = [
      { name: 'the hash of the approved one, and another mode', policy: opened, code: 'EDW_ERR_HOST_NOT_APPROVED' },
      { name: 'nothing protected', policy: { ...honest, objects: [] }, code: 'EDW_ERR_HOST_NOT_APPROVED' },
      { name: 'another number', policy: { ...honest, revision: 99 }, code: 'EDW_ERR_HOST_NO_EVIDENCE' },
      {
        name: 'what was approved before, as if it were newer',
        policy: { ...old, revision: honest.revision },
        code: 'EDW_ERR_HOST_NOT_APPROVED',
      },
      { name: 'an older state', policy: old, states: [first], code: 'EDW_ERR_HEAD_ROLLBACK' },
      {
        name: 'a head by another key',
        policy: { ...honest, revision: later.head.revision },
        states: [later],
        code: 'EDW_ERR_HEAD_UNSIGNED',
      },
      { name: 'no evidence at all', policy: honest, states: [], code: 'EDW_ERR_HOST_NO_EVIDENCE' },
    ];
    for (const { name, policy, states = null, code } of cases) {
      it.lie.states = states;
      t.equal(await it.offered(policy), code, name);
    }
    it.lie.states = null;
    t.equal(await it.offered(), 'approved', 'nothing of it is remembered');
    it.configure(null);
    t.equal(await it.offered(), 'EDW_ERR_HOST_ROOT', 'an emptied configuration brings back no word of the service');
    it.configure(join(t.testdirName, 'nowhere.json'));
    t.equal(await it.offered(), 'EDW_ERR_HOST_ROOT');
    it.configure(it.rootFile);
    await rm(join(t.testdirName, 'agent'), { recursive: true });
    it.configure(null);
    t.equal(await it.offered(opened), 'unasked', 'where none ever was pinned');
  },
);

t.test('trust roots, grants and break-glass reach a host that verifies, and end there by its own clock', async (t) => {
  const it = await verifyingHost(t);
  const until = new Date(it.world.nowMs + 3_600_000).toISOString();
  await it.publish({ until });
  await it.world.changeRoot((root) => ({ ...root, thresholds: { ...root.thresholds, breakGlassHours: 2 } }));
  await it.publish({ until });
  t.equal(await it.offered(), 'approved', 'under a trust root that came later');
  it.lie.root = it.world.pinned;
  await it.world.changeRoot((root) => root);
  await it.publish({ until });
  t.equal(await it.offered(), 'EDW_ERR_ROOT_VERSION', 'and under no other');
  it.lie.root = null;
  const granted = it.policy();
  t.equal(await it.offered(granted), 'approved');
  it.stage.forwardMs = 3_600_000;
  await it.stage.until('the grant is over at the service', () => it.policy().hash !== granted.hash);
  t.equal(await it.offered(), 'approved', 'the same number, without the grant');
  t.equal(await it.offered(granted), 'approved', 'clocks are never equal');
  it.skew.ms = 400_000;
  t.equal(await it.offered(granted), 'EDW_ERR_HOST_NOT_APPROVED', 'and what has ended has ended');
  t.equal(await it.offered(), 'approved');
  it.skew.ms = -400_000;
  t.equal(await it.offered(), 'EDW_ERR_HOST_NOT_APPROVED', 'by the clock of the host, whatever the service says');
  it.skew.ms = 0;
  it.world.nowMs = it.stage.clock.now() + it.stage.forwardMs;
  await it.publish({ id: 'glass', breakGlassMs: 3_600_000 });
  const open = it.policy();
  t.match(open.objects, [{ rules: [{ id: 'glass' }, { id: 'partner' }] }]);
  t.equal(await it.offered(), 'approved', 'break-glass');
  it.stage.forwardMs += 3_600_000;
  await it.stage.until('it is over at the service', () => it.policy().hash !== open.hash);
  t.equal(await it.offered(), 'approved', 'what was before');
  it.skew.ms = 400_000;
  t.equal(await it.offered(open), 'EDW_ERR_HOST_NOT_APPROVED', 'and no glass stays open');
});

t.test('what a store signed is handed to the host that it is for, whole, and to no other', async (t) => {
  const it = await verifyingHost(t);
  await it.publish();
  const [one, two, nobody] = [await it.host('host-1'), await it.host('host-2'), await it.host('host-9')];
  const [state] = it.stage.policy.evidence.states('host-1');
  const rules = state?.head.rules.digest ?? '';
  const asked = (digests: unknown): string => JSON.stringify({ digests });
  const head = headPath(state?.head.revision ?? 0);
  t.strictSame(JSON.parse((await one.send('GET', head)).bytes.toString()), it.world.head('host-1'));
  t.strictSame(JSON.parse((await two.send('GET', head)).bytes.toString()), it.world.head('host-2'));
  const [own] = blobsIn((await one.send('POST', BLOBS_PATH, asked([rules]))).bytes, 1) ?? [];
  t.equal(own && digestOf(own), rules);
  t.strictSame(blobsIn((await two.send('POST', BLOBS_PATH, asked([rules]))).bytes, 1), [null], 'not of its policy');
  t.equal((await one.send('GET', rootPath(2))).status, 204);
  for (const path of [head, rootPath(1)]) t.equal((await nobody.send('GET', path)).code, 'EDW_ERR_HOST_UNKNOWN');
  const many = Array.from({ length: 65 }, (_, n) => digestOf(`${n}`));
  for (const body of [asked([]), asked(['../roots']), asked([rules, rules]), asked(many), '{}'])
    t.equal((await one.send('POST', BLOBS_PATH, body)).code, 'EDW_ERR_HOST_EVIDENCE_REQUEST', body.slice(0, 40));
  for (const path of [headPath('-1'), headPath('1e3'), rootPath('../1')])
    t.match((await one.send('GET', path)).status, /400|404/, path);
  const directory = await (await calling(t)).host('host-1');
  t.equal((await directory.send('GET', head)).code, 'EDW_ERR_HOST_NO_EVIDENCE');
});
