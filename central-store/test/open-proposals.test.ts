/** How much may be open, and what is left of a proposal when it is not open any more. */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOfRoot, sign, type TrustRoot } from '@edgeward/policy-format';
import t from 'tap';
import { openStoreFolder } from '../src/index.ts';
import type { OpenLimits } from '../src/proposals/room.ts';
import {
  bundle,
  CRM,
  FRONT,
  HOUR_MS,
  logger,
  type Owner,
  openWorld,
  PLAIN,
  policy,
  type World,
} from './decisions/world.ts';

const LONGER = bundle(FRONT, policy(CRM, { ...CRM, id: 'more', ports: ['tcp/8443'] }));
const LIMIT = { code: 'EDW_ERR_PROPOSAL_LIMIT' };

async function limitedWorld(t: Owner, limits: Partial<OpenLimits>): Promise<World> {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  await world.store.close();
  world.store = await openStoreFolder({ dir: world.dir, clock: world.clock, logger, limits });
  return world;
}

t.test('documents are kept while a proposal is open, and with their version for good', async (t) => {
  const world = await openWorld(t);
  const { proposals } = world.store;
  const isKept = (id: string): boolean => existsSync(join(world.dir, 'proposals', id, 'documents.ndjson'));
  const published = await world.propose(PLAIN);
  const rejected = await world.propose(PLAIN, { reason: 'a mistake' });
  const expired = await world.propose(PLAIN, { reason: 'late', expiresInMs: HOUR_MS });
  const outdated = await world.propose(LONGER);
  for (const { id } of [published, rejected, expired, outdated]) t.ok(isKept(id));
  await proposals.reject(world.as('ada'), rejected.id, { reason: 'too wide' });
  t.strictSame(
    [published, rejected, expired, outdated].map(({ id }) => isKept(id)),
    [true, false, true, true],
  );
  world.clock.advance(HOUR_MS);
  await t.rejects(proposals.documents(expired.id), { code: 'EDW_ERR_PROPOSAL_CLOSED' });
  await t.rejects(proposals.publish(world.as('eve'), expired.id), { code: 'EDW_ERR_PROPOSAL_CLOSED' });
  t.notOk(isKept(expired.id), 'with whatever is attempted next');
  await world.approve(published.id, 'cleo');
  await proposals.publish(world.as('eve'), published.id);
  t.strictSame(
    [published, outdated].map(({ id }) => isKept(id)),
    [false, false],
  );
  for (const store of [world.store, await world.reopen()]) {
    t.strictSame(Buffer.from(await store.proposals.documents(published.id)), Buffer.from(PLAIN.bytes));
    await t.rejects(store.proposals.documents(rejected.id), { code: 'EDW_ERR_PROPOSAL_CLOSED' });
    await t.rejects(store.proposals.documents(outdated.id), { code: 'EDW_ERR_STORE_OUTDATED' });
    t.match(store.proposals.view(rejected.id), {
      state: 'rejected',
      payload: { documents: { bytes: PLAIN.bytes.length } },
    });
    t.match(store.proposals.view(expired.id), { state: 'outdated', reason: 'late' });
  }
});

t.test('what a crash left of a proposal that nobody was told of is taken away at the next start', async (t) => {
  const world = await openWorld(t);
  const { id } = await world.propose(PLAIN);
  const folder = join(world.dir, 'proposals', '0123456789abcdef');
  mkdirSync(folder);
  writeFileSync(join(folder, 'documents.ndjson'), LONGER.bytes);
  const store = await world.reopen();
  t.strictSame(readdirSync(folder), []);
  t.strictSame(Buffer.from(await store.proposals.documents(id)), Buffer.from(PLAIN.bytes));
});

t.test('what a clock that was ahead has taken away comes back with the same proposal, while it is open', async (t) => {
  const world = await openWorld(t);
  const ahead = async (): Promise<void> => {
    world.clock.advance(30 * 24 * HOUR_MS);
    await world.reopen();
    world.clock.advance(-30 * 24 * HOUR_MS);
  };
  const isKept = (id: string): boolean => existsSync(join(world.dir, 'proposals', id, 'documents.ndjson'));
  const approval = await world.draft(PLAIN);
  const rejected = await world.draft(PLAIN, { reason: 'a mistake' });
  const send = (document = approval, dryRun = false) =>
    world.store.proposals.propose(world.as('ada'), { approval: document, bundle: PLAIN.bytes, dryRun });
  const { id } = await send();
  await world.approve(id, 'cleo');
  const other = await send(rejected);
  await world.store.proposals.reject(world.as('ada'), other.id, { reason: 'too wide' });
  for (const restart of [false, true]) {
    await ahead();
    if (restart) await world.reopen();
    t.equal(world.store.proposals.view(id).state, 'approved');
    await t.rejects(world.store.proposals.publish(world.as('eve'), id), { code: 'EDW_ERR_PROPOSAL_CLOSED' });
    const wrong = world.store.proposals.propose(world.as('ada'), { approval, bundle: LONGER.bytes });
    await t.rejects(wrong, { code: 'EDW_ERR_PROPOSAL_DIFFERS' });
    await send(approval, true);
    t.notOk(isKept(id), 'a dry run writes nothing');
    t.match(await send(), { id, state: 'approved' });
    t.strictSame(Buffer.from(await world.store.proposals.documents(id)), Buffer.from(PLAIN.bytes));
  }
  t.equal((await send(rejected)).state, 'rejected');
  t.notOk(isKept(other.id));
  t.match(await world.store.proposals.publish(world.as('eve'), id), { version: { version: 1 } });
});

t.test('what is no proposal stays as it is, and keeps no documents of others', async (t) => {
  const world = await openWorld(t);
  const place = (name: string): string => join(world.dir, 'proposals', name);
  const { id } = await world.propose(PLAIN);
  const later = await world.propose(PLAIN, { reason: 'later' });
  writeFileSync(place('.DS_Store'), 'x');
  writeFileSync(place('0000000000000000'), 'a file, where a folder should be');
  cpSync(place(id), place(`${id}.before`), { recursive: true });
  const { proposals } = await world.reopen();
  for (const it of [id, later.id]) {
    await proposals.reject(world.as('ada'), it, { reason: 'a mistake' });
    t.strictSame(readdirSync(place(it)), ['proposal.json']);
  }
  t.strictSame(readdirSync(place(`${id}.before`)).sort(), ['documents.ndjson', 'proposal.json']);
  t.equal(proposals.list().length, 2);
});

t.test('the same proposal sent twice is one, and nobody floods the store', async (t) => {
  const world = await openWorld(t);
  const approval = await world.draft(PLAIN);
  const send = () => world.store.proposals.propose(world.as('ada'), { approval, bundle: PLAIN.bytes });
  t.equal((await send()).id, (await send()).id);
  t.equal(world.store.proposals.list().length, 1);
  for (let i = 1; i < 20; i += 1) await world.propose(PLAIN, { reason: `CHG-${i}` });
  await t.rejects(world.propose(PLAIN, { reason: 'one more' }), { code: 'EDW_ERR_PROPOSAL_LIMIT' });
  t.equal((await send()).state, 'open', 'one of those that are open, once more');
  t.ok(await world.propose(PLAIN, { proposedBy: 'ben' }), 'another author is not held up');
});

t.test('at the limit of documents, and of trust roots, what is open may be sent once more as well', async (t) => {
  const world = await limitedWorld(t, { each: 2, bytesEach: LONGER.bytes.length });
  const { proposals, roots } = world.store;
  const approval = await world.draft(LONGER, { proposedBy: 'ben' });
  const send = () => proposals.propose(world.as('ben'), { approval, bundle: LONGER.bytes });
  const { id } = await send();
  t.equal((await send()).id, id);
  const before = roots.newest();
  const next: TrustRoot = { ...before, version: 2, previous: digestOfRoot(before) };
  const root = await sign(next, [world.keys.ben]);
  const sendRoot = () => proposals.proposeRoot(world.as('ben'), { root, reason: 'as every year' });
  t.equal((await sendRoot()).id, (await sendRoot()).id);
  const another: TrustRoot = { ...next, epoch: before.epoch + 1 };
  const third = proposals.proposeRoot(world.as('ben'), { root: await sign(another, [world.keys.ben]), reason: 'more' });
  await t.rejects(third, LIMIT);
});

t.test('documents of what one person has open are bounded, and nobody else is held up', async (t) => {
  const world = await limitedWorld(t, { bytesEach: 2 * LONGER.bytes.length });
  const first = await world.propose(LONGER, { reason: 'one' });
  await world.propose(LONGER, { reason: 'two' });
  await t.rejects(world.propose(LONGER, { reason: 'three' }), { ...LIMIT, mend: /reject/, message: /of ada/ });
  t.match((await world.store.record.read({ after: 0, limit: 1_000 })).at(-1), { outcome: 'refused', ...LIMIT });
  t.ok(await world.propose(LONGER, { proposedBy: 'ben' }));
  await world.store.proposals.reject(world.as('ada'), first.id, { reason: 'in place of it:' });
  t.ok(await world.propose(LONGER, { reason: 'three' }));
});

t.test('whoever floods the store keeps nobody from breaking glass', async (t) => {
  const world = await limitedWorld(t, { all: 2, each: 2 });
  const breakGlass = { endsAtMs: world.clock.now() + HOUR_MS };
  for (const reason of ['one', 'two']) await world.propose(LONGER, { reason });
  await t.rejects(world.propose(LONGER, { proposedBy: 'ben' }), LIMIT);
  const glass = await world.propose(LONGER, { proposedBy: 'cleo', breakGlass });
  await world.propose(LONGER, { proposedBy: 'cleo', breakGlass, reason: 'once more' });
  await t.rejects(
    world.propose(LONGER, { proposedBy: 'cleo', breakGlass, reason: 'and more' }),
    LIMIT,
    'each has a share',
  );
  t.match(await world.store.proposals.publish(world.as('cleo'), glass.id), { version: { version: 2 } });
});

t.test('what an approver has open already keeps them from breaking glass no more than others do', async (t) => {
  for (const limits of [{ each: 1 }, { bytesEach: LONGER.bytes.length }]) {
    const world = await limitedWorld(t, limits);
    const [name = ''] = Object.keys(limits);
    const breakGlass = { endsAtMs: world.clock.now() + HOUR_MS };
    await world.propose(LONGER, { proposedBy: 'ben' });
    await t.rejects(world.propose(LONGER, { proposedBy: 'ben', reason: 'one more' }), LIMIT, name);
    const glass = await world.propose(LONGER, { proposedBy: 'ben', breakGlass });
    const again = world.propose(LONGER, { proposedBy: 'ben', breakGlass, reason: 'one more' });
    await t.rejects(again, LIMIT, `${name}: break-glass is counted by itself`);
    t.match(await world.store.proposals.publish(world.as('ben'), glass.id), { version: { version: 2 } }, name);
  }
});
