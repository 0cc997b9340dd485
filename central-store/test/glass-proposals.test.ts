/** What one person opens alone, and what becomes of it. */
import { digestOfRoot, sign, type TrustRoot } from '@edgeward/policy-format';
import t from 'tap';
import { type PublishedChain, verifyPredecessor } from '../src/index.ts';
import { bundle, CRM, FRONT, HOUR_MS, openWorld, PLAIN, policy } from './decisions/world.ts';

const LONGER = bundle(FRONT, policy(CRM, { ...CRM, id: 'more', ports: ['tcp/8443'] }));

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

t.test('what is no break-glass is put on top of no version by name, and that is on the record', async (t) => {
  const world = await openWorld(t);
  const { proposals, record } = world.store;
  await world.publish(PLAIN);
  const before = world.root();
  const next: TrustRoot = { ...before, version: 2, previous: digestOfRoot(before) };
  const root = await sign(next, [world.keys.cleo]);
  const policy = await world.propose(LONGER);
  const people = await proposals.proposeRoot(world.as('cleo'), { root, reason: 'as every year' });
  await world.approve(policy.id, 'cleo');
  await world.approve(people.id, 'dan');
  for (const { id, kind } of [policy, people])
    for (const dryRun of [true, false]) {
      const published = proposals.publish(world.as('eve'), id, { onTopOf: 1, dryRun });
      await t.rejects(published, { code: 'EDW_ERR_PROPOSAL_INPUT', message: /it is no break-glass/ }, kind);
      const outcome = dryRun ? 'dry-run' : 'refused';
      t.match((await record.read({ after: 0, limit: 100 })).at(-1), { outcome, code: 'EDW_ERR_PROPOSAL_INPUT' });
      t.equal(proposals.view(id).state, 'approved');
    }
  t.match(await proposals.publish(world.as('eve'), people.id), { kind: 'root' });
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
