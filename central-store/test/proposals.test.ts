import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addSignature, generateSigningKey, type SignedDocument, sign, verifyApproval } from '@edgeward/policy-format';
import t from 'tap';
import { openStoreFolder, verifyRecord } from '../src/index.ts';
import { runKilled } from './decisions/killed-run.ts';
import {
  bundle,
  CRM,
  FRONT,
  folderOf,
  HOUR_MS,
  logger,
  type Name,
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

t.test('old documents come back as a new version that says so', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  await world.publish(LONGER);
  const old = await world.store.proposals.bundle(1);
  await t.rejects(world.propose(old), { code: 'EDW_ERR_PROPOSAL_DIFFERS' });
  const restored = await world.publish(old, { restored: true });
  t.match(restored, { version: 3, payload: { risks: ['restored'], approvals: 2 } });
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
    const lines = await runKilled(t, 'killed-store.ts', dir, String(killAt));
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
