/** A trust root whose file is gone is never replaced by the one before it. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addSignature, digestOfRoot, sign, type TrustRoot } from '@edgeward/policy-format';
import t from 'tap';
import { openStoreFolder, type StoreFolder } from '../src/index.ts';
import { folderOf, logger, openWorld, PLAIN, type World } from './decisions/world.ts';

/** The next trust root, proposed and approved; the answer is its proposal. */
async function approvedRoot(world: World): Promise<string> {
  const before = world.root();
  const next: TrustRoot = { ...before, version: before.version + 1, previous: digestOfRoot(before) };
  const { proposals } = world.store;
  const root = await sign(next, [world.keys.cleo]);
  const { id } = await proposals.proposeRoot(world.as('cleo'), { root, reason: 'as every year' });
  const document = await addSignature({ payload: root.payload, signatures: [] }, next.typ, world.keys.dan);
  await proposals.approve(world.as('dan'), id, { document, reason: 'looked at it' });
  return id;
}

async function publishRoot(world: World): Promise<string> {
  const id = await approvedRoot(world);
  await world.store.proposals.publish(world.as('eve'), id);
  return id;
}

const opened = (world: World, dir: string): Promise<StoreFolder> =>
  openStoreFolder({ dir, clock: world.clock, logger });

t.test('whatever names a newer trust root than there is keeps the store from starting', async (t) => {
  const world = await openWorld(t);
  const second = await publishRoot(world);
  const version = await world.publish(PLAIN);
  const third = await publishRoot(world);
  const open = await world.propose(PLAIN);
  await world.store.close();
  const head = JSON.stringify(await sign({ typ: 'edgeward-head/1', root: 3 } as { typ: string }, []));
  const put = (path: string, text: string) => (dir: string) => {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text);
  };
  const none = (): void => {};
  const bare = ['proposals', 'versions'];
  const table: { name: string; gone: string[]; also: (dir: string) => void; says: RegExp }[] = [
    { name: 'a later root', gone: ['roots/2.json', ...bare], also: none, says: /2\.json: .*roots\/3\.json names 3/ },
    {
      name: 'a root in the mirror',
      gone: ['roots/3.json', ...bare],
      also: put('mirror/roots/3.json', '{}'),
      says: /3\.json: it is missing, and mirror\/roots\/3\.json names 3/,
    },
    {
      name: 'a head',
      gone: ['roots/3.json', ...bare],
      also: put('mirror/heads/edge-1.json', head),
      says: /3\.json: it is missing, and mirror\/heads\/edge-1\.json names 3/,
    },
    {
      name: 'a version',
      gone: ['roots/2.json', 'roots/3.json', 'proposals'],
      also: none,
      says: /2\.json: it is missing, and versions\/1\/approval\.json names 2/,
    },
    {
      name: 'a root that was proposed on top of it',
      gone: ['roots/2.json', 'roots/3.json', 'versions', `proposals/${second}`, `proposals/${open.id}`],
      also: (dir) => rmSync(join(dir, `proposals/${version.id}`), { recursive: true }),
      says: new RegExp(`2\\.json: it is missing, and proposals/${third} names 2`),
    },
    {
      name: 'policy that was proposed under it',
      gone: ['roots/3.json', `proposals/${third}`],
      also: none,
      says: new RegExp(`3\\.json: it is missing, and proposals/${open.id} names 3`),
    },
  ];
  for (const { name, gone, also, says } of table) {
    const dir = join(folderOf(t), 'store');
    cpSync(world.dir, dir, { recursive: true });
    for (const path of gone) rmSync(join(dir, path), { recursive: true });
    also(dir);
    await t.rejects(opened(world, dir), { code: 'EDW_ERR_STORE_FOLDER', message: says, mend: /mirror\/roots/ }, name);
    t.notOk(existsSync(join(dir, 'lock')), `${name}: nobody holds it`);
  }
});

t.test('a trust root that the record allowed comes back from its proposal, as it was', async (t) => {
  const world = await openWorld(t);
  const id = await publishRoot(world);
  await world.store.close();
  const path = join(world.dir, 'roots', '2.json');
  const was = readFileSync(path);
  rmSync(path);
  const store = await world.reopen();
  t.equal(store.roots.newest().version, 2);
  t.strictSame(readFileSync(path), was);
  t.match(store.proposals.view(id), { state: 'published', version: 2 });
});

t.test('one that failed, or that nobody published, stays a proposal', async (t) => {
  const world = await openWorld(t);
  const id = await approvedRoot(world);
  t.equal((await world.reopen()).roots.newest().version, 1);
  const roots = join(world.dir, 'roots');
  renameSync(roots, `${roots}.away`);
  writeFileSync(roots, 'a file, where a folder should be');
  await t.rejects(world.store.proposals.publish(world.as('eve'), id), { code: 'EDW_ERR_STATE_WRITE' });
  rmSync(roots);
  renameSync(`${roots}.away`, roots);
  const store = await world.reopen();
  t.equal(store.roots.newest().version, 1);
  t.equal(store.proposals.view(id).state, 'approved');
});
