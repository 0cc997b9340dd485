/** An export followed by hand, command by command, does what the driver would have done, and can be taken back. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import t, { type Test } from 'tap';
import { type Icontrol, objectPath } from '../../driver/icontrol/index.ts';
import { type ExportInput, planExport, writeExport } from '../../export/index.ts';
import { CUSTOMERS, startBox, type TestBox } from '../fixtures/box.ts';
import { codeOf } from '../fixtures/codes.ts';
import { groupNamed, groupPath, readForeign, readOwnState, recordsAt } from '../fixtures/own-state.ts';
import { largePolicy, smallPolicy } from '../fixtures/policies.ts';
import { openConsole, readProcedure } from './fixtures/console.ts';

const NOW = Date.UTC(2026, 10, 22, 16);
const http = [{ methods: ['GET'], path: '/v1/orders/*' }];
const binds = ['/Common/vs_orders', '/Common/vs_crm'];
const policyA = smallPolicy({ revision: 0, allow: ['10.1.0.0/16'], binds, http });
const policyB = smallPolicy({ revision: 0, allow: ['10.2.0.0/16'], http });
const VIRTUAL = 'tm/ltm/virtual';
const OURS = ['/Edgeward/eg_enforce_l4_v1', '/Edgeward/eg_enforce_l7_v1'];

interface Export {
  folder: string;
  change: Awaited<ReturnType<typeof planExport>>;
}

async function exported(t: Test, input: Partial<ExportInput> & { policy: CompiledPolicy }): Promise<Export> {
  const place = await mkdtemp(join(tmpdir(), 'edgeward-export-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const change = await planExport({ nowMs: NOW, ...input });
  const folder = join(place, 'ticket');
  await writeExport(folder, change, { collector: '192.0.2.10:6514' });
  return { folder, change };
}

async function rulesOf(box: Icontrol, bind: string): Promise<unknown> {
  return (await box.get(objectPath(VIRTUAL, bind)))?.rules ?? [];
}

const ALL = /^(?!How to go back|Afterwards)/;
const BEFORE_ATTACHING = /^(Once|Large|Keep|Load|Take away)/;

t.test('from a box without partition: the steps, one by one, bring the policy into force', async (t) => {
  const box = await startBox(t, { config: CUSTOMERS });
  const { folder, change } = await exported(t, { policy: policyA });
  t.equal(change.revision, 1);
  const console = openConsole(box.admin());
  // Without looking at the box nobody knows its leftovers, nor its group: those lines are for the reader to fill in.
  await console.follow(folder, /^(Before|Once|Keep|Load)/);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 1,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
  t.strictSame(await rulesOf(box.admin(), '/Common/vs_crm'), [], 'nothing is judged yet');
  await console.follow(folder, /^Attach/);
  t.strictSame(await rulesOf(box.admin(), '/Common/vs_crm'), OURS);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 1,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
  await box.admin().run('tm/sys/config', { command: 'save' });
  await box.unit.reboot();
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 1,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
});

t.test('what the driver wrote and what an export wrote are the same', async (t) => {
  const [one, two] = [await startBox(t), await startBox(t)];
  const { folder } = await exported(t, { policy: policyA, boxes: [one.admin()] });
  await openConsole(one.admin()).follow(folder, BEFORE_ATTACHING);
  await two.point().apply({ ...policyA, revision: 1 });
  t.strictSame(await readOwnState(one.admin()), await readOwnState(two.admin()));
  t.strictSame(await readForeign(one.admin()), await withLogging(two), 'and nothing else of the box changed');
  const applied = await two.point().apply({ ...policyA, revision: 1 });
  t.equal(applied.writes, 0);
  t.equal((await one.point().apply({ ...policyA, revision: 1 })).writes, 0, 'a driver has nothing left to do');
});

/** The pool of the collector is made once, by the procedure and not by the driver. */
async function withLogging(box: TestBox): Promise<unknown> {
  const console = openConsole(box.admin());
  await console.run('', 'tmsh create ltm pool /Edgeward/eg_collector_pool members add { 192.0.2.10:6514 } monitor tcp');
  return readForeign(box.admin());
}

t.test('looking at the box: only what is missing is written, and one load brings everything back', async (t) => {
  const box = await startBox(t);
  await box.point().apply({ ...policyA, revision: 7 });
  await box.point().apply({ ...smallPolicy({ revision: 8, allow: ['10.1.0.0/16'], binds }), revision: 8 });
  await box.admin().modify(objectPath(VIRTUAL, '/Common/vs_crm'), { rules: OURS });
  const before = await stateOf(box);
  const looked = box.unit.calls().length;
  const { folder, change } = await exported(t, { policy: policyA, boxes: [box.admin()] });
  t.equal(change.revision, 9);
  const methods = new Set(
    box.unit
      .calls()
      .slice(looked)
      .map(({ method }) => method),
  );
  t.strictSame([...methods], ['GET'], 'it only looks');
  t.strictSame(change.groups, [], 'groups of an earlier revision are there');
  t.notOk((await readFile(join(folder, 'forward.conf'), 'utf8')).includes('ltm rule'));

  const console = openConsole(box.admin());
  await console.follow(folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 9,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
  await console.follow(folder, /^Attach/);
  t.strictSame(await rulesOf(box.admin(), '/Common/vs_orders'), [...OURS, '/Common/customers_rule'], 'ours come first');
  t.strictSame(await rulesOf(box.admin(), '/Common/vs_crm'), OURS);

  await console.follow(folder, /^How to go back/);
  t.strictSame(await stateOf(box), before);
  const back = await box.point().inspect();
  t.match(back, { state: 'loaded', revision: 8, drift: [] });
  t.strictSame(await rulesOf(box.admin(), '/Common/vs_orders'), ['/Common/customers_rule'], 'and stop enforcing');
});

async function stateOf(box: TestBox): Promise<unknown> {
  const admin = box.admin();
  return { map: await recordsAt(admin, 'eg_map'), meta: await recordsAt(admin, 'eg_meta') };
}

t.test('an object that leaves the policy leaves the map, and comes back with it', async (t) => {
  const box = await startBox(t);
  await box.point().apply({ ...policyA, revision: 1 });
  const before = await stateOf(box);
  const { folder, change } = await exported(t, { policy: policyB, boxes: [box.admin()] });
  t.match(change.surplus, [{ fullPath: '/Edgeward/eg_map', names: ['/Common/vs_crm'] }]);
  const console = openConsole(box.admin());
  await console.follow(folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 2,
    hash: policyB.hash,
    drift: [],
    unfinished: [],
  });
  await console.follow(folder, /^How to go back/);
  t.strictSame(await stateOf(box), before);
});

t.test('without a policy on the box there is no back.conf, and the way back is to detach', async (t) => {
  const cases = {
    'nobody looked': async () => ({}),
    'no partition': async (box: TestBox) => ({ boxes: [box.admin()] }),
    'an empty map': async (box: TestBox) => {
      await openConsole(box.admin()).run('', 'tmsh create auth partition Edgeward');
      await openConsole(box.admin()).run('', 'tmsh create ltm data-group internal /Edgeward/eg_map type string');
      return { boxes: [box.admin()] };
    },
  };
  for (const [name, look] of Object.entries(cases)) {
    const box = await startBox(t, { config: CUSTOMERS });
    const { folder } = await exported(t, { policy: policyA, ...(await look(box)) });
    t.notOk((await readdir(folder)).includes('back.conf'), name);
    const steps = await readProcedure(folder);
    const lines = steps.find(({ title }) => title === 'How to go back')?.commands ?? [];
    t.ok(lines.includes('tmsh modify ltm virtual /Common/vs_crm rules none'), name);
    t.notOk(
      lines.some((line) => line.includes('back.conf')),
      name,
    );
  }
});

t.test('a large group comes as a file, and its records stand nowhere else', async (t) => {
  const box = await startBox(t);
  const policy = largePolicy(0, 50_001);
  const { folder, change } = await exported(t, { policy, boxes: [box.admin()] });
  t.equal(change.files.length, 1);
  t.ok((await readFile(join(folder, 'forward.conf'), 'utf8')).length < 100_000);
  const console = openConsole(box.admin());
  await console.follow(folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 1,
    hash: policy.hash,
    drift: [],
    unfinished: [],
  });

  const name = change.files[0]?.group.name ?? '';
  await tamperFile(box, name);
  t.match(await box.point().inspect(), { drift: [/its file|another content/] });
  const second = await exported(t, { policy, boxes: [box.admin()] });
  t.match(second.change.files, [{ need: { do: 'mend-file', file: 'other' } }]);
  await console.follow(second.folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 2,
    hash: policy.hash,
    drift: [],
    unfinished: [],
  });
});

async function tamperFile(box: TestBox, name: string): Promise<void> {
  const text = Buffer.from('host 203.0.113.9 := "tcp 443 443 allow r",\n');
  const sourcePath = await box.admin().upload('mine', text.length, [text]);
  await box.admin().modify(objectPath('tm/sys/file/data-group', `/Edgeward/${name}`), { sourcePath });
}

t.test('a group that somebody changed is mended, and what was added goes', async (t) => {
  const box = await startBox(t);
  await box.point().apply({ ...policyA, revision: 1 });
  const name = await groupNamed(box.admin(), 'eg_s_');
  const [first, ...others] = (await recordsAt(box.admin(), name)) ?? [];
  const records = [
    ...others,
    { name: first?.name ?? '', data: 'no-port' },
    { name: '203.0.113.9', data: 'tcp 443 443 allow r' },
  ];
  await box.admin().modify(groupPath(name), { records });
  const { folder, change } = await exported(t, { policy: policyA, boxes: [box.admin()] });
  t.match(change.surplus, [{ fullPath: `/Edgeward/${name}`, names: ['203.0.113.9/32'] }]);
  await openConsole(box.admin()).follow(folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 2,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
});

t.test('rules that somebody changed are put right, and their text comes back with the way back', async (t) => {
  const box = await startBox(t);
  await box.point().apply({ ...policyA, revision: 1 });
  const path = objectPath('tm/ltm/rule', OURS[0] ?? '');
  const edited = 'when CLIENT_ACCEPTED {\n    # mine: \\{ "quoted"\n    reject\n}';
  await box.admin().modify(path, { apiAnonymous: edited });
  const { folder } = await exported(t, { policy: policyA, boxes: [box.admin()] });
  const console = openConsole(box.admin());
  await console.follow(folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 2,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
  await console.follow(folder, /^How to go back/);
  t.equal((await box.admin().get(path))?.apiAnonymous, edited);
});

t.test('a virtual server in a route domain gets records of that domain, when somebody looked', async (t) => {
  const domain = 'net route-domain /Common/2 { id 2 }\n';
  const elsewhere = CUSTOMERS.replace('10.0.0.1:443', '10.0.0.1%2:443');
  const box = await startBox(t, { config: `auth partition Edgeward { }\n${domain}${elsewhere}` });
  const looking = await exported(t, { policy: policyB, boxes: [box.admin()] });
  t.match(await readFile(join(looking.folder, 'forward.conf'), 'utf8'), /^ {8}10\.2\.0\.0%2\/16 \{$/m);
  await openConsole(box.admin()).follow(looking.folder, BEFORE_ATTACHING);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 1,
    hash: policyB.hash,
    drift: [],
    unfinished: [],
  });
  const blind = await exported(t, { policy: policyB });
  t.match(await readFile(join(blind.folder, 'forward.conf'), 'utf8'), /^ {8}10\.2\.0\.0\/16 \{$/m);
});

t.test('where only connections are judged, what needs a look at a request is denied', async (t) => {
  const box = await startBox(t);
  await box.point().apply({ ...policyB, revision: 1 });
  const path = objectPath(VIRTUAL, '/Common/vs_orders');
  await box.admin().modify(path, { rules: OURS.slice(0, 1) });
  const { folder, change } = await exported(t, { policy: policyB, boxes: [box.admin()] });
  t.match(change.attachments, [{ bind: '/Common/vs_orders', state: 'blind', after: OURS }]);
  t.match(await readFile(join(folder, 'forward.conf'), 'utf8'), /data "2 enforce http .* blind"/);
  await openConsole(box.admin()).follow(folder, BEFORE_ATTACHING);
  t.match(await box.point().inspect(), { state: 'loaded', revision: 2, drift: [] });
});

t.test('of a pair the active unit is looked at, and the procedure names the group to sync', async (t) => {
  const box = await startBox(t, { units: 2 });
  await box.simulator.failover();
  const { folder, change } = await exported(t, { policy: policyA, boxes: [box.admin(0), box.admin(1)] });
  t.equal(change.held?.name, 'bigip-b.example');
  const active = openConsole(box.admin(1));
  await active.follow(folder, ALL);
  t.strictSame(await box.point().inspect(), {
    state: 'loaded',
    revision: 1,
    hash: policyA.hash,
    drift: [],
    unfinished: [],
  });
  t.match(await readFile(join(folder, 'PROCEDURE.md'), 'utf8'), `to-group ${change.held?.syncGroup}`);
});

t.test('a number that the box has already is not given to another policy', async (t) => {
  const box = await startBox(t);
  await box.point().apply({ ...policyA, revision: 5 });
  const boxes = [box.admin()];
  t.equal(
    await codeOf(() => planExport({ policy: policyB, revision: 4, boxes, nowMs: NOW })),
    'EDW_ERR_EXPORT_REVISION',
  );
  t.equal(
    await codeOf(() => planExport({ policy: policyB, revision: 5, boxes, nowMs: NOW })),
    'EDW_ERR_EXPORT_REVISION',
  );
  t.equal((await planExport({ policy: policyA, revision: 5, boxes, nowMs: NOW })).revision, 5, 'the same policy may');
  t.equal((await planExport({ policy: policyB, revision: 6, boxes, nowMs: NOW })).revision, 6);
});

t.test('a folder is whole, and of the point that holds the box', async (t) => {
  const unusable = { ...policyB, objects: policyB.objects.map((object) => ({ ...object, bind: 'orders' })) };
  t.equal(await codeOf(() => planExport({ policy: unusable, nowMs: NOW })), 'EDW_ERR_BIGIP_BIND');
  const box = await startBox(t);
  await box.point().apply({ ...policyA, revision: 1 });
  const boxes = [box.admin()];
  const other = { ...policyB, point: 'dc2' };
  t.equal(await codeOf(() => planExport({ policy: other, boxes, nowMs: NOW })), 'EDW_ERR_POINT_TAKEN');
});
