/** Who the people are is changed by the people. */
import { readdirSync } from 'node:fs';
import { addSignature, digestOfRoot, generateSigningKey, sign, type TrustRoot } from '@edgeward/policy-format';
import t from 'tap';
import { initStore } from '../src/index.ts';
import { folderOf, logger, openWorld, PLAIN } from './decisions/world.ts';

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
    const last = (await world.store.record.read({ after: 0, limit: 1_000 })).at(-1);
    t.match(last, { outcome: 'refused', code: 'EDW_ERR_ROOT_PEOPLE' }, `${name}: on the record`);
  }
});
