import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  addSignature,
  digestOfRoot,
  generateSigningKey,
  type SignedDocument,
  sign,
  type TrustRoot,
  verifyApproval,
} from '@edgeward/policy-format';
import t from 'tap';
import { initStore, openStoreFolder, type PublishedChain, verifyPredecessor, verifyRecord } from '../src/index.ts';
import {
  bundle,
  CRM,
  FRONT,
  folderOf,
  HOUR_MS,
  logger,
  type Name,
  type Owner,
  openWorld,
  PLAIN,
  policy,
  type World,
} from './decisions/world.ts';

const LONGER = bundle(FRONT, policy(CRM, { ...CRM, id: 'more', ports: ['tcp/8443'] }));

async function entries(world: World): Promise<{ action: string; outcome: string; code?: string; actor: string }[]> {
  return await world.store.record.read({ after: 0, limit: 1000 });
}

/** The newest entry is a refusal with this code, and nothing was published by it. */
async function lastRefusal(world: World): Promise<string | undefined> {
  const last = (await entries(world)).at(-1);
  return last?.outcome === 'refused' ? last.code : undefined;
}

t.test('a change is proposed, approved by another, published, and read back by the next process', async (t) => {
  const world = await openWorld(t);
  const { proposals } = world.store;
  const published: number[] = [];
  proposals.onPublished((it) => published.push(it.kind === 'policy' ? it.version.version : -1));
  const proposed = await world.propose(PLAIN);
  t.match(proposed, { state: 'open', kind: 'policy', approvals: { needed: 1, given: [] }, version: null });
  t.strictSame(await proposals.documents(proposed.id), Buffer.from(PLAIN.bytes));
  await world.approve(proposed.id, 'cleo');
  t.match(proposals.view(proposed.id), { state: 'approved', approvals: { given: [{ person: 'cleo' }] } });
  const done = await proposals.publish(world.as('eve'), proposed.id);
  t.match(done, { kind: 'policy', version: { version: 1, publishedBy: 'eve' } });
  t.strictSame(published, [1]);
  const again = await world.reopen();
  t.match(again.proposals.current(), { version: 1, digest: proposed.digest });
  t.match(again.proposals.view(proposed.id), { state: 'published', version: 1 });
  t.equal((await again.proposals.bundle(1)).digest, PLAIN.digest);
  t.strictSame(
    (await entries(world)).map((it) => `${it.actor} ${it.action} ${it.outcome}`),
    [
      'store store.init allowed',
      'ada proposal.propose allowed',
      'cleo proposal.approve allowed',
      'eve proposal.publish allowed',
    ],
  );
});

t.test('what is published is what every point believes', async (t) => {
  const world = await openWorld(t);
  const { version } = await world.publish(PLAIN);
  const { approval } = world.store.proposals.version(version ?? 0);
  const nowMs = world.clock.now();
  const verified = await verifyApproval({ document: approval, root: world.root(), accepted: () => false, nowMs });
  t.strictSame(verified.approvers, ['cleo', 'dan']);
});

t.test('nobody proposes without the role, in another name, or unsigned', async (t) => {
  const world = await openWorld(t);
  const { proposals } = world.store;
  const good = await world.draft(PLAIN);
  const stranger = await generateSigningKey();
  const forged = await addSignature({ payload: good.payload, signatures: [] }, 'edgeward-approval/1', stranger);
  const table: { name: string; as: string; approval: SignedDocument; code: string }[] = [
    { name: 'an approver', as: 'cleo', approval: good, code: 'EDW_ERR_STORE_ROLE' },
    { name: 'somebody unknown', as: 'mallory', approval: good, code: 'EDW_ERR_STORE_ROLE' },
    { name: 'another author', as: 'ben', approval: good, code: 'EDW_ERR_PROPOSAL_PROPOSER' },
    { name: 'no signature', as: 'ada', approval: { ...good, signatures: [] }, code: 'EDW_ERR_PROPOSAL_SIGNATURE' },
    { name: 'a key of nobody', as: 'ada', approval: forged, code: 'EDW_ERR_PROPOSAL_SIGNATURE' },
  ];
  for (const { name, as, approval, code } of table) {
    await t.rejects(
      proposals.propose({ name: as, by: 'certificate' }, { approval, bundle: PLAIN.bytes }),
      { code },
      name,
    );
    t.equal(await lastRefusal(world), code, `${name}: on the record`);
  }
  t.strictSame(proposals.list(), []);
});

t.test('a payload that the store does not come to itself is refused, whoever signed it', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  const { proposals } = world.store;
  const any = bundle(FRONT, policy(CRM, { ...CRM, id: 'all', from: [{ any: true }] }));
  const honest = JSON.parse(Buffer.from((await world.draft(any)).payload, 'base64url').toString());
  t.strictSame(honest.risks, ['any-source']);
  const slices = { ...honest.slices, root: '0'.repeat(64) };
  const table: { name: string; change: object; code: string }[] = [
    { name: 'a risk left out', change: { risks: [], approvals: 1 }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    { name: 'fewer approvals', change: { approvals: 1 }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    { name: 'slices of something else', change: { slices }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    { name: 'another store', change: { store: '0'.repeat(32) }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    { name: 'another basis', change: { previous: '0'.repeat(64) }, code: 'EDW_ERR_STORE_OUTDATED' },
    { name: 'another root', change: { root: 2 }, code: 'EDW_ERR_STORE_OUTDATED' },
    { name: 'a time to come', change: { proposedAt: '2026-11-23T00:00:00.000Z' }, code: 'EDW_ERR_PROPOSAL_TIME' },
    { name: 'for ever', change: { expiresAt: '2027-11-23T00:00:00.000Z' }, code: 'EDW_ERR_PROPOSAL_INPUT' },
    {
      name: 'break-glass for days',
      change: { approvals: 1, breakGlass: { endsAt: '2026-11-24T00:00:00.000Z' } },
      code: 'EDW_ERR_PROPOSAL_INPUT',
    },
  ];
  for (const { name, change, code } of table) {
    const approval = await sign({ ...honest, ...change }, [world.keys.ada]);
    await t.rejects(proposals.propose(world.as('ada'), { approval, bundle: any.bytes }), { code }, name);
  }
  const approval = await sign(honest, [world.keys.ada]);
  const mismatch = proposals.propose(world.as('ada'), { approval, bundle: PLAIN.bytes });
  await t.rejects(mismatch, { code: 'EDW_ERR_PROPOSAL_DIFFERS' }, 'other documents');
  t.equal(proposals.list().length, 1);
});

t.test('nobody approves what is their own, without the role, without a reason, or something else', async (t) => {
  const world = await openWorld(t);
  const { proposals } = world.store;
  const { id, document } = await world.propose(PLAIN, { proposedBy: 'ben' });
  const other = await world.draft(LONGER, { proposedBy: 'ben' });
  const signedBy = (name: Name, payload = document.payload): Promise<SignedDocument> =>
    addSignature({ payload, signatures: [] }, 'edgeward-approval/1', world.keys[name]);
  const table: { name: string; as: Name; given: SignedDocument; reason?: string; code: string }[] = [
    { name: 'own', as: 'ben', given: await signedBy('ben'), code: 'EDW_ERR_PROPOSAL_OWN' },
    { name: 'an author', as: 'ada', given: await signedBy('ada'), code: 'EDW_ERR_STORE_ROLE' },
    { name: 'a publisher', as: 'eve', given: await signedBy('eve'), code: 'EDW_ERR_STORE_ROLE' },
    { name: 'no reason', as: 'cleo', given: await signedBy('cleo'), reason: ' ', code: 'EDW_ERR_PROPOSAL_REASON' },
    { name: 'the key of another', as: 'cleo', given: await signedBy('dan'), code: 'EDW_ERR_PROPOSAL_SIGNATURE' },
    { name: 'other bytes', as: 'cleo', given: await signedBy('cleo', other.payload), code: 'EDW_ERR_PROPOSAL_DIFFERS' },
  ];
  for (const { name, as, given, reason = 'fine', code } of table) {
    await t.rejects(proposals.approve(world.as(as), id, { document: given, reason }), { code }, name);
    t.equal(await lastRefusal(world), code, `${name}: on the record`);
  }
  t.strictSame(proposals.view(id).approvals.given, []);
  const dry = await proposals.approve(world.as('cleo'), id, {
    document: await signedBy('cleo'),
    reason: 'x',
    dryRun: true,
  });
  t.equal(dry.approvals.given.length, 1, 'what it would be');
  t.equal(proposals.view(id).approvals.given.length, 0, 'what it is');
  t.equal((await entries(world)).at(-1)?.outcome, 'dry-run');
});

t.test('publishing needs the role, enough signatures, time, and the newest version below', async (t) => {
  const world = await openWorld(t);
  const { proposals } = world.store;
  const first = await world.propose(PLAIN);
  const second = await world.propose(LONGER);
  const stale = await world.propose(bundle(FRONT), { expiresInMs: HOUR_MS });
  await world.approve(first.id, 'cleo');
  await t.rejects(proposals.publish(world.as('ada'), first.id), { code: 'EDW_ERR_STORE_ROLE' });
  await t.rejects(proposals.publish(world.as('eve'), second.id), { code: 'EDW_ERR_APPROVAL_TOO_FEW' });
  await t.rejects(proposals.publish(world.as('eve'), 'none'), { code: 'EDW_ERR_PROPOSAL_UNKNOWN' });
  world.clock.advance(HOUR_MS);
  t.equal(proposals.view(stale.id).state, 'expired');
  await t.rejects(proposals.publish(world.as('eve'), stale.id), { code: 'EDW_ERR_PROPOSAL_CLOSED' });
  t.match(await proposals.publish(world.as('eve'), first.id, { dryRun: true }), { version: { version: 1 } });
  t.equal(proposals.current(), null, 'a dry run publishes nothing');
  await proposals.publish(world.as('eve'), first.id);
  await t.rejects(proposals.publish(world.as('eve'), first.id), { code: 'EDW_ERR_PROPOSAL_CLOSED' }, 'once');
  t.equal(proposals.view(second.id).state, 'outdated');
  await t.rejects(world.approve(second.id, 'cleo'), { code: 'EDW_ERR_STORE_OUTDATED' });
  await t.rejects(proposals.publish(world.as('eve'), second.id), { code: 'EDW_ERR_STORE_OUTDATED' });
});

t.test('a change with a risk needs more people than one without', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  const { proposals } = world.store;
  const { id, approvals } = await world.propose(bundle({ ...FRONT, mode: 'observe' }, policy(CRM)));
  t.equal(approvals.needed, 2);
  await world.approve(id, 'cleo');
  await t.rejects(proposals.publish(world.as('eve'), id), { code: 'EDW_ERR_APPROVAL_TOO_FEW' });
  await world.approve(id, 'ben');
  t.match(await proposals.publish(world.as('eve'), id), { version: { version: 2 } });
});

t.test('who can write to the disk of the store still publishes nothing', async (t) => {
  const world = await openWorld(t);
  const { id } = await world.propose(PLAIN);
  await world.store.close();
  const path = join(world.dir, 'proposals', id, 'proposal.json');
  const stored = JSON.parse(readFileSync(path, 'utf8'));
  stored.given = [{ person: 'cleo', at: stored.proposedAt, reason: 'forged' }];
  writeFileSync(path, JSON.stringify(stored));
  const store = await world.reopen();
  t.equal(store.proposals.view(id).state, 'approved', 'it looks so');
  await t.rejects(store.proposals.publish(world.as('eve'), id), { code: 'EDW_ERR_APPROVAL_TOO_FEW' });
  await world.approve(id, 'cleo');
  writeFileSync(join(world.dir, 'proposals', id, 'documents.ndjson'), LONGER.bytes);
  await t.rejects(store.proposals.publish(world.as('eve'), id), { code: 'EDW_ERR_PROPOSAL_DIFFERS' });
  t.equal(store.proposals.current(), null);
});

t.test('a rejected proposal stays rejected, and says by whom and why', async (t) => {
  const world = await openWorld(t);
  const { proposals } = world.store;
  const { id } = await world.propose(PLAIN);
  await t.rejects(proposals.reject(world.as('eve'), id, { reason: 'no' }), { code: 'EDW_ERR_STORE_ROLE' });
  await t.rejects(proposals.reject(world.as('cleo'), id, { reason: '' }), { code: 'EDW_ERR_PROPOSAL_REASON' });
  await proposals.reject(world.as('cleo'), id, { reason: 'too wide' });
  t.match(proposals.view(id), { state: 'rejected', rejected: { by: 'cleo', reason: 'too wide' } });
  await t.rejects(world.approve(id, 'dan'), { code: 'EDW_ERR_PROPOSAL_CLOSED' });
  const own = await world.propose(LONGER);
  await proposals.reject(world.as('ada'), own.id, { reason: 'a mistake of mine' });
  t.equal((await world.reopen()).proposals.view(own.id).state, 'rejected');
});

t.test('one approver opens for hours, and it waits for the others afterwards', async (t) => {
  const world = await openWorld(t);
  const wide = bundle(FRONT, policy(CRM, { ...CRM, id: 'incident', from: [{ cidr: '192.0.2.0/24' }] }));
  const breakGlass = { endsAtMs: world.clock.now() + 2 * HOUR_MS };
  await t.rejects(world.propose(wide, { proposedBy: 'cleo', breakGlass }), { code: 'EDW_ERR_PROPOSAL_INPUT' }, 'first');
  await world.publish(PLAIN);
  const { proposals } = world.store;
  const glass = await world.propose(wide, { proposedBy: 'cleo', breakGlass });
  t.match(glass, { state: 'approved', approvals: { needed: 1, given: [{ person: 'cleo' }] } });
  await proposals.publish(world.as('cleo'), glass.id);
  t.match(proposals.followUps(), [{ version: 2, proposedBy: 'cleo' }]);
  const again = world.propose(wide, { proposedBy: 'cleo', breakGlass });
  await t.rejects(again, { code: 'EDW_ERR_PROPOSAL_INPUT' }, 'never on top of another');
  const kept = await world.draft(bundle(FRONT, policy(CRM, { ...CRM, id: 'incident', from: [{ any: true }] })));
  t.strictSame(
    JSON.parse(Buffer.from(kept.payload, 'base64url').toString()).risks,
    ['any-source'],
    'measured against what was approved in full',
  );
  await t.rejects(proposals.closeFollowUp(world.as('cleo'), 2, { reason: 'mine' }), { code: 'EDW_ERR_PROPOSAL_OWN' });
  await t.rejects(proposals.closeFollowUp(world.as('ada'), 2, { reason: 'x' }), { code: 'EDW_ERR_STORE_ROLE' });
  await t.rejects(proposals.closeFollowUp(world.as('dan'), 1, { reason: 'x' }), { code: 'EDW_ERR_STORE_FOLLOW_UP' });
  await proposals.closeFollowUp(world.as('dan'), 2, { reason: 'INC-7 looked at' });
  t.strictSame((await world.reopen()).proposals.followUps(), []);
});

t.test('a version of everybody ends a follow-up, and a glass that has ended is not published', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  const breakGlass = { endsAtMs: world.clock.now() + HOUR_MS };
  const glass = await world.propose(LONGER, { proposedBy: 'ben', breakGlass });
  const late = await world.propose(LONGER, { proposedBy: 'cleo', breakGlass });
  await world.store.proposals.publish(world.as('ben'), glass.id);
  t.equal(world.store.proposals.followUps().length, 1);
  t.equal(world.store.proposals.view(late.id).state, 'outdated');
  await world.publish(PLAIN);
  t.strictSame(world.store.proposals.followUps(), []);
  const next = await world.propose(LONGER, { proposedBy: 'ben', breakGlass });
  world.clock.advance(HOUR_MS);
  await t.rejects(world.store.proposals.publish(world.as('ben'), next.id), { code: 'EDW_ERR_PROPOSAL_TIME' });
});

t.test('old documents come back as a new version that says so', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  await world.publish(LONGER);
  const old = await world.store.proposals.bundle(1);
  await t.rejects(world.propose(old), { code: 'EDW_ERR_PROPOSAL_DIFFERS' });
  const restored = await world.publish(old, { restored: true });
  t.match(restored, { version: 3, payload: { risks: ['restored'], approvals: 2 } });
});

t.test('an approver believes what a store says was in force only as far as people signed it', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  const wide = bundle(FRONT, policy(CRM, { ...CRM, id: 'all', from: [{ any: true }] }));
  const breakGlass = { endsAtMs: world.clock.now() + HOUR_MS };
  const glass = await world.propose(wide, { proposedBy: 'ben', breakGlass });
  await world.store.proposals.publish(world.as('ben'), glass.id);
  const [first, second] = world.store.proposals.versions().map((it) => it.approval);
  if (first === undefined || second === undefined) throw new Error('two versions were published');
  const { roots } = world.store;
  const rootAt = (version: number): TrustRoot | null => roots.at(version);
  const verify = (chain: Partial<PublishedChain>): ReturnType<typeof verifyPredecessor> =>
    verifyPredecessor({ approvals: [second, first], bundle: PLAIN.bytes, rootAt, nowMs: world.clock.now(), ...chain });
  t.strictSame(await verify({}), await world.store.proposals.predecessor());
  t.equal(await verify({ approvals: [] }), null);
  const unsigned = { ...first, signatures: first.signatures.slice(0, 1) };
  const table: { name: string; chain: Partial<PublishedChain>; code: string }[] = [
    { name: 'other documents', chain: { bundle: wide.bytes }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    {
      name: 'the glass as if it were approved',
      chain: { approvals: [second], bundle: wide.bytes },
      code: 'EDW_ERR_PROPOSAL_DIFFERS',
    },
    { name: 'a link left out', chain: { approvals: [first, first] }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
    { name: 'too few signatures', chain: { approvals: [second, unsigned] }, code: 'EDW_ERR_APPROVAL_TOO_FEW' },
    { name: 'a root that is not known', chain: { rootAt: () => null }, code: 'EDW_ERR_PROPOSAL_DIFFERS' },
  ];
  for (const { name, chain, code } of table) await t.rejects(verify(chain), { code }, name);
});

t.test('people change the trust root together, those of before and those to come', async (t) => {
  const world = await openWorld(t);
  const { proposals, roots } = world.store;
  const gina = await generateSigningKey();
  const before = roots.newest();
  const people = [...before.people, { name: 'gina', roles: ['approver' as const], keys: [gina.publicKey] }];
  const next: TrustRoot = { ...before, version: 2, previous: digestOfRoot(before), people };
  const open = await world.propose(PLAIN);
  await t.rejects(proposals.proposeRoot(world.as('eve'), { root: await sign(next, []), reason: 'x' }), {
    code: 'EDW_ERR_STORE_ROLE',
  });
  const later: TrustRoot = { ...next, version: 3 };
  const skipped = await sign(later, [world.keys.cleo]);
  await t.rejects(proposals.proposeRoot(world.as('cleo'), { root: skipped, reason: 'x' }), {
    code: 'EDW_ERR_STORE_OUTDATED',
  });
  const root = await sign(next, [world.keys.cleo]);
  const proposed = await proposals.proposeRoot(world.as('cleo'), { root, reason: 'gina joins' });
  t.match(proposed, { kind: 'root', state: 'open', approvals: { needed: 2, given: [{ person: 'cleo' }] } });
  await t.rejects(proposals.publish(world.as('eve'), proposed.id), { code: 'EDW_ERR_ROOT_OLD_APPROVERS' });
  const byGina = await addSignature({ payload: root.payload, signatures: [] }, next.typ, gina);
  await proposals.approve({ name: 'gina', by: 'certificate' }, proposed.id, { document: byGina, reason: 'that is me' });
  await t.rejects(proposals.publish(world.as('eve'), proposed.id), { code: 'EDW_ERR_ROOT_OLD_APPROVERS' });
  await world.approve(proposed.id, 'dan');
  t.match(await proposals.publish(world.as('eve'), proposed.id), { kind: 'root', root: { version: 2 } });
  t.match(proposals.view(proposed.id), { state: 'published', version: 2 });
  t.equal(proposals.view(open.id).state, 'outdated', 'policy is approved under the people of today');
  const again = await world.reopen();
  t.equal(again.roots.newest().version, 2);
  t.match(await world.publish(PLAIN), { version: 1, payload: { root: 2 } });
});

t.test('nobody is called what the record calls the store, or nobody', async (t) => {
  const world = await openWorld(t);
  const before = world.root();
  const first = before.people.slice(1);
  for (const name of ['store', 'nobody']) {
    const people = [...first, { name, roles: ['author' as const], keys: [world.keys.ada.publicKey] }];
    const options = { dir: folderOf(t), people, thresholds: before.thresholds, clock: world.clock, logger };
    await t.rejects(initStore(options), { code: 'EDW_ERR_ROOT_PEOPLE' }, name);
    t.strictSame(readdirSync(options.dir), [], `${name}: nothing was made`);
    const next: TrustRoot = { ...before, version: 2, previous: digestOfRoot(before), people };
    const root = await sign(next, [world.keys.cleo]);
    const proposed = world.store.proposals.proposeRoot(world.as('cleo'), { root, reason: `${name} joins` });
    await t.rejects(proposed, { code: 'EDW_ERR_ROOT_PEOPLE' }, name);
    t.equal(await lastRefusal(world), 'EDW_ERR_ROOT_PEOPLE', `${name}: on the record`);
  }
});

t.test('the same proposal sent twice is one, and nobody floods the store', async (t) => {
  const world = await openWorld(t);
  const approval = await world.draft(PLAIN);
  const send = () => world.store.proposals.propose(world.as('ada'), { approval, bundle: PLAIN.bytes });
  t.equal((await send()).id, (await send()).id);
  t.equal(world.store.proposals.list().length, 1);
  for (let i = 1; i < 20; i += 1) await world.propose(PLAIN, { reason: `CHG-${i}` });
  await t.rejects(world.propose(PLAIN, { reason: 'one more' }), { code: 'EDW_ERR_PROPOSAL_LIMIT' });
  t.ok(await world.propose(PLAIN, { proposedBy: 'ben' }), 'another author is not held up');
});

t.test('a version that was taken away, or changed, is told and not built upon', async (t) => {
  for (const damage of ['taken away', 'changed'] as const) {
    const world = await openWorld(t);
    await world.publish(PLAIN);
    await world.publish(LONGER);
    if (damage === 'changed') writeFileSync(join(world.dir, 'versions', '1', 'bundle.ndjson'), LONGER.bytes);
    else rmSync(join(world.dir, 'versions', '1'), { recursive: true });
    await t.rejects(
      world.reopen().then((store) => store.proposals.bundle(1)),
      { code: 'EDW_ERR_STORE_FOLDER' },
      damage,
    );
  }
});

t.test('keys are closed to others, and one store is one process', async (t) => {
  const world = await openWorld(t);
  for (const name of readdirSync(join(world.dir, 'keys')))
    t.equal(statSync(join(world.dir, 'keys', name)).mode & 0o777, 0o600, name.slice(0, 5));
  await t.rejects(openStoreFolder({ dir: world.dir, clock: world.clock, logger }), { code: 'EDW_ERR_STATE_IN_USE' });
  t.match(await world.store.storeKey(), { kid: world.root().storeKeys[0]?.kid ?? '' });
});

t.test('killed at any write, a store has done what it acknowledged, nothing half, and goes on', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  await world.store.close();
  const { keys } = world;
  const input = { keys: { ada: keys.ada.jwk, cleo: keys.cleo.jwk }, bundle: Buffer.from(PLAIN.bytes).toString() };
  const stages = {
    proposed: ['open', 'approved', 'published'],
    approved: ['approved', 'published'],
    published: ['published'],
  };
  let finished = false;
  // Bounded: there are some thirty writes in it.
  for (let killAt = 1; killAt < 80 && !finished; killAt += 1) {
    const place = folderOf(t);
    const dir = join(place, 'store');
    cpSync(world.dir, dir, { recursive: true });
    writeFileSync(join(place, 'input.json'), JSON.stringify(input));
    const lines = await runKilled(t, dir, killAt);
    finished = lines.includes('closed');
    const store = await openStoreFolder({ dir, clock: world.clock, logger });
    const name = `write ${killAt}`;
    for (const [stage = '', id = ''] of lines.map((line) => line.split(' '))) {
      const states = stages[stage as keyof typeof stages] ?? [];
      if (stage !== 'closed') t.ok(states.includes(store.proposals.view(id).state), `${name}: ${stage}`);
    }
    for (const { version } of store.proposals.versions()) t.ok(await store.proposals.bundle(version), `${name}: whole`);
    const { logKeys } = store.roots.newest();
    await store.close();
    t.strictSame((await verifyRecord(join(dir, 'record'), logKeys, [])).problems, [], `${name}: the record holds`);
  }
  t.ok(finished, 'every write was tried');
});

async function runKilled(t: Owner, dir: string, killAt: number): Promise<string[]> {
  const script = join(import.meta.dirname, 'decisions/killed-store.ts');
  const args = ['--conditions=edgeward-source', script, dir, String(killAt)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  await once(child, 'close');
  if (errors !== '') throw new Error(errors);
  return output.split('\n').slice(0, -1);
}
