/** A trust root whose file is gone is never replaced by the one before it. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addSignature, canonicalJson, digestOfRoot, sign, type TrustRoot } from '@edgeward/policy-format';
import t from 'tap';
import { openStoreFolder, type RecordEntry, type StoreFolder, verifyRecord } from '../src/index.ts';
import { readCheckpoint } from '../src/record/tail.ts';
import { runKilled } from './decisions/killed-run.ts';
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
      also: put('mirror/roots/3.json', readFileSync(join(world.dir, 'roots', '3.json'), 'utf8')),
      says: /3\.json: it is missing, and mirror\/roots\/3\.json is it/,
    },
    {
      name: 'an empty file among the roots',
      gone: bare,
      also: put('roots/999.json', ''),
      says: /4\.json: it is missing, and roots\/999\.json names 999/,
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
    const mend = /mirror\/roots.+If nobody ever published it, move \S+ away/;
    await t.rejects(opened(world, dir), { code: 'EDW_ERR_STORE_FOLDER', message: says, mend }, name);
    t.notOk(existsSync(join(dir, 'lock')), `${name}: nobody holds it`);
  }
});

t.test('where nothing else names it any more, the record was signed for it', async (t) => {
  const world = await openWorld(t);
  await publishRoot(world);
  await world.publish(PLAIN);
  await publishRoot(world);
  // Nothing of the record tells which checkpoint was written, and a crash may come at any time: it does not wait for the next.
  const signed = async (): Promise<number> => (await readCheckpoint(join(world.dir, 'record')))?.payload.root ?? 0;
  for (let look = 0; look < 4_000 && (await signed()) < 3; look += 1) await sleep(5);
  for (const gone of [['roots/3.json'], ['roots/2.json', 'roots/3.json']]) {
    const dir = join(folderOf(t), 'store');
    cpSync(world.dir, dir, { recursive: true });
    for (const path of [...gone, 'lock', 'proposals', 'versions'])
      rmSync(join(dir, path), { recursive: true, force: true });
    const message = /[23]\.json: it is missing, and the record was signed when 3 was in force/;
    const expected = {
      code: 'EDW_ERR_STORE_FOLDER',
      message,
      mend: /from a backup, .+ any point that has followed it\.$/,
    };
    await t.rejects(opened(world, dir), expected, gone.join());
    cpSync(join(world.dir, 'roots'), join(dir, 'roots'), { recursive: true });
    const store = await opened(world, dir);
    t.equal(store.roots.newest().version, 3, 'brought back');
    await store.close();
  }
});

t.test('a checkpoint from before it named a trust root claims none', async (t) => {
  const world = await openWorld(t);
  await world.store.close();
  const file = join(world.dir, 'record', 'checkpoint.json');
  const { payload } = (await readCheckpoint(join(world.dir, 'record'))) ?? {};
  const { root, ...before } = payload ?? { root: 0, typ: '' };
  t.equal(root, 1);
  writeFileSync(file, JSON.stringify(await sign(before as { typ: string }, [])));
  t.equal((await world.reopen()).roots.newest().version, 1);
});

t.test(
  'what lies in the mirror, and is not the next root by its signatures, keeps no store from starting',
  async (t) => {
    const world = await openWorld(t);
    const { keys } = world;
    const first = world.root();
    const next: TrustRoot = { ...first, version: 2, previous: digestOfRoot(first) };
    const ofOtherChain: TrustRoot = { ...next, previous: 'a'.repeat(64) };
    const ofOtherStore: TrustRoot = { ...next, store: 'b'.repeat(32) };
    const table: Record<string, unknown> = {
      'nothing at all': '',
      'no document': {},
      'one signature of two': await sign(next, [keys.cleo]),
      'signed, and of another chain': await sign(ofOtherChain, [keys.cleo, keys.dan]),
      'signed, and of another store': await sign(ofOtherStore, [keys.cleo, keys.dan]),
      'the one in force': world.store.roots.newestSigned(),
    };
    const mirror = join(world.dir, 'mirror');
    for (const folder of ['roots', 'heads']) mkdirSync(join(mirror, folder), { recursive: true });
    writeFileSync(join(mirror, 'roots', '999999999.json'), '');
    const head = await sign({ typ: 'edgeward-head/1', root: 7 } as { typ: string }, []);
    writeFileSync(join(mirror, 'heads', 'edge-1.json'), JSON.stringify(head));
    for (const [name, found] of Object.entries(table)) {
      writeFileSync(join(mirror, 'roots', '2.json'), found === '' ? '' : JSON.stringify(found));
      t.equal((await world.reopen()).roots.newest().version, 1, name);
    }
  },
);

t.test('killed while a trust root is published, it is in force, or waits to be published again', async (t) => {
  const world = await openWorld(t);
  const id = await approvedRoot(world);
  await world.store.close();
  let waited = 0;
  let finished = false;
  // Bounded: there are some ten writes in it.
  for (let killAt = 1; killAt < 30 && !finished; killAt += 1) {
    const name = `write ${killAt}`;
    const dir = join(folderOf(t), 'store');
    cpSync(world.dir, dir, { recursive: true });
    const lines = await runKilled(t, 'killed-root.ts', dir, id, String(killAt));
    finished = lines.includes('closed');
    const store = await opened(world, dir);
    const entries = await store.record.read({ after: 0, limit: 100 });
    const isAllowed = entries.some((it) => it.action === 'proposal.publish' && it.outcome === 'allowed');
    if (store.roots.newest().version === 2) t.ok(isAllowed, `${name}: on the record first`);
    else {
      t.notOk(lines.includes('published'), name);
      t.equal(store.proposals.view(id).state, 'approved', name);
      if (isAllowed) waited += 1;
      await store.proposals.publish(world.as('eve'), id);
    }
    t.match(store.proposals.view(id), { state: 'published', version: 2 }, name);
    const { logKeys } = store.roots.newest();
    await store.close();
    t.strictSame((await verifyRecord(join(dir, 'record'), logKeys, [])).problems, [], `${name}: the record holds`);
    const again = await opened(world, dir);
    t.equal(again.roots.newest().version, 2, name);
    await again.close();
  }
  t.ok(finished, 'every write was tried');
  t.ok(waited > 0, 'once between the record and the file');
});

t.test('a line of the record puts no trust root in force, whatever it says', async (t) => {
  const table = [
    { name: 'cut off before its line break', ending: '', seq: 1, error: null },
    { name: 'forged', ending: '\n', seq: 999, error: { code: 'EDW_ERR_STORE_RECORD' } },
  ];
  for (const { name, ending, seq, error } of table) {
    const world = await openWorld(t);
    const id = await approvedRoot(world);
    await world.store.close();
    const file = join(world.dir, 'record', '0000000000000001.ndjson');
    const last = JSON.parse(readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '') as RecordEntry;
    const line = { ...last, action: 'proposal.publish', target: `proposal/${id}`, seq: last.seq + seq };
    appendFileSync(file, `${canonicalJson(line)}${ending}`);
    if (error !== null) await t.rejects(world.reopen(), error, name);
    else t.equal((await world.reopen()).roots.newest().version, 1, name);
    t.strictSame(readdirSync(join(world.dir, 'roots')), ['1.json'], name);
  }
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
