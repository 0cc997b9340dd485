/** What goes wrong between the driver and a box: the old policy or the new one is in force, whole, and the status is clear. */
import type { FaultKind } from '@edgeward/bigip-simulator';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { type Icontrol, objectPath, recordOf } from '../driver/icontrol/index.ts';
import { groupName } from '../driver/layout/index.ts';
import { CUSTOMERS, itemOf, startBox } from './fixtures/box.ts';
import { codeOf } from './fixtures/codes.ts';
import { groupNames, readForeign, recordsAt, rewrite } from './fixtures/own-state.ts';
import { largePolicy, smallPolicy } from './fixtures/policies.ts';
import { wholeRevision } from './fixtures/whole-revision.ts';

const INTERNAL = 'tm/ltm/data-group/internal';

const policyOf = (revision: number) => smallPolicy({ revision, allow: [`10.${revision}.0.0/16`] });
const ownPath = (kind: string, name: string): string => objectPath(kind, `/Edgeward/${name}`);

/** Every write of an apply, by what names it whatever the policy. */
const writes = [
  { method: 'POST', path: INTERNAL },
  { method: 'POST', path: 'tm/transaction' },
  { method: 'PATCH', path: 'tm/transaction' },
  { method: 'DELETE', path: 'tm/transaction' },
  // The first is the one that is only validated, the second one the switch.
  { method: 'PATCH', path: 'eg_map' },
  { method: 'PATCH', path: 'eg_map', after: 1 },
  { method: 'DELETE', path: 'eg_s_' },
  { method: 'POST', path: 'tm/sys/config' },
  { method: 'PATCH', path: 'eg_meta' },
];

const kinds: FaultKind[] = [
  'reset',
  'reset-after',
  'timeout-500',
  'busy-503',
  'restarting-503',
  'uri-404',
  'expired-401',
];

t.test('whatever befalls whichever write, one policy is in force, whole, and the next attempt goes on', async (t) => {
  const box = await startBox(t);
  let revision = 1;
  const point = box.point({ keptRevisions: 1 });
  await point.apply(policyOf(revision));
  for (const kind of kinds) {
    for (const { method, path, after = 0 } of writes) {
      const name = `${kind} at ${method} ${path}${after === 0 ? '' : ' (2)'}`;
      revision += 1;
      box.unit.inject({ kind, method, path, after });
      const code = await codeOf(() => point.apply(policyOf(revision)));
      const found = await wholeRevision(box.point());
      t.ok(found === revision || (found === revision - 1 && code !== null), `${name}: ${found}, ${code}`);
      t.match(code ?? 'EDW_ERR_POINT_UNREACHABLE', /^EDW_ERR_(POINT_UNREACHABLE|BIGIP_BUSY)$/, `${name}: ${code}`);
      await point.apply(policyOf(revision));
      t.match(await point.inspect(), { revision, drift: [] }, `${name}: then the new one, and nothing left to do`);
    }
  }
  const strikes = box.unit.calls().filter(({ status }) => status === 0 || status >= 400);
  t.ok(strikes.length >= kinds.length * (writes.length - 1), `${strikes.length} calls were struck`);
});

t.test('an answer that is lost is read back, and the apply is whole', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  for (const [index, kind] of (['reset-after', 'timeout-500'] as const).entries()) {
    box.unit.inject({ kind, method: 'PATCH', path: 'eg_map', after: 1 });
    t.equal(await codeOf(() => point.apply(policyOf(index + 1))), null, kind);
    t.match(await point.inspect(), { revision: index + 1, drift: [] });
  }
});

/** Runs once, in the driver's own validation just before the switch. */
function beforeSwitch(run: () => Promise<unknown>): (box: Icontrol) => Icontrol {
  let done = false;
  return (box) => ({
    ...box,
    validate: async (change) => {
      await box.validate(change);
      if (done) return;
      done = true;
      await run();
    },
  });
}

t.test('a foreign hand between reading and switching is noticed, and nothing is switched', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  await box.point().apply(policyOf(1));
  const map = await recordsAt(admin, 'eg_map');
  const wrap = beforeSwitch(() => admin.modify(ownPath(INTERNAL, 'eg_map'), { records: map ?? [] }));
  const point = box.point({ wrap });
  t.equal(await codeOf(() => point.apply(policyOf(2))), 'EDW_ERR_POINT_TAKEN');
  t.equal(await wholeRevision(box.point()), 1);
  t.equal((await point.apply(policyOf(2))).revision, 2, 'the next attempt looks again');
});

t.test('a group that vanishes or changes before the switch is never switched to', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const hands: [string, (path: string) => Promise<unknown>][] = [
    ['deleted', (path) => admin.remove(path)],
    ['emptied', (path) => admin.modify(path, { records: [] })],
  ];
  await box.point().apply(policyOf(1));
  for (const [index, [name, hand]] of hands.entries()) {
    const wrap = (client: Icontrol): Icontrol => ({
      ...client,
      create: async (path, body) => {
        const created = await client.create(path, body);
        await hand(ownPath(INTERNAL, String(body.name)));
        return created;
      },
    });
    const revision = index + 2;
    t.equal(await codeOf(() => box.point({ wrap }).apply(policyOf(revision))), 'EDW_ERR_BIGIP_READ_BACK', name);
    t.equal(await wholeRevision(box.point()), revision - 1, `${name}: the old one is in force`);
    await box.point().apply(policyOf(revision));
    t.equal(await wholeRevision(box.point()), revision, `${name}: then the new one`);
  }
});

t.test('a group that another service takes away just before the switch is made again', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  await box.point().apply(policyOf(1));
  const before = new Set(await groupNames(admin));
  const wrap = beforeSwitch(async () => {
    const added = (await groupNames(admin)).filter((name) => !before.has(name));
    for (const name of added) await admin.remove(ownPath(INTERNAL, name));
  });
  t.equal((await box.point({ wrap }).apply(policyOf(2))).revision, 2);
  t.equal(await wholeRevision(box.point()), 2);
});

t.test('a group that another service switches to is not deleted under it', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  await box.point().apply(policyOf(1));
  const old = itemOf(await groupNames(admin), 0);
  let back = false;
  const wrap = (client: Icontrol): Icontrol => ({
    ...client,
    async list(path, query) {
      const found = await client.list(path, query);
      // After the switch, when what is unused is looked for: somebody goes back.
      const map = (await recordsAt(admin, 'eg_map')) ?? [];
      if (back || path !== INTERNAL || !map.some(({ data }) => data.startsWith('1 2 '))) return found;
      back = true;
      await admin.modify(ownPath(INTERNAL, 'eg_map'), {
        records: map.map(({ name, data }) => ({ name, data: data.replace(/eg_s_\w+/, old) })),
      });
      return found;
    },
  });
  await box.point({ wrap, keptRevisions: 1 }).apply(policyOf(2));
  t.ok(back);
  t.ok((await groupNames(admin)).includes(old));
});

t.test('a save is of our partition alone: what others have not saved is lost by a reboot', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const point = box.point();
  await point.apply(policyOf(1));
  await admin.create('tm/ltm/pool', { name: 'unsaved', partition: 'Common' });
  await point.apply(policyOf(2));
  await box.unit.reboot();
  t.equal(await wholeRevision(point), 2);
  t.equal(await admin.get(objectPath('tm/ltm/pool', '/Common/unsaved')), null);
});

t.test('until something was saved everything is, also after a first apply that was cut', async (t) => {
  const box = await startBox(t);
  box.unit.inject({ kind: 'reset', method: 'POST', path: 'tm/ltm/rule' });
  t.match(await codeOf(() => box.point().apply(policyOf(1))), /^EDW_ERR_/);
  const saves = (): number[] =>
    box.unit.calls().flatMap(({ path, bytes }) => (path.startsWith('/mgmt/tm/sys/config') ? [bytes] : []));
  await box.point().apply(policyOf(1));
  const whole = JSON.stringify({ command: 'save' }).length;
  t.ok(saves().length > 0 && saves().every((bytes) => bytes === whole), 'the partition may itself be unsaved');
  await box.point().apply(policyOf(2));
  t.ok((saves().at(-1) ?? 0) > whole, 'and then ours alone');
});

t.test('a box that can not save one partition alone saves everything', async (t) => {
  const box = await startBox(t);
  const point = box.point({
    wrap: (client) => ({
      ...client,
      run: async (path, body) => {
        if (body.options !== undefined) throw refusal('EDW_ERR_BIGIP_REFUSED');
        return client.run(path, body);
      },
    }),
  });
  await point.apply(policyOf(1));
  await point.apply(policyOf(2));
  await box.unit.reboot();
  t.match(await point.inspect(), { revision: 2, drift: [], unfinished: [] });
});

const refusal = (code: string): EdgewardError => new EdgewardError(code, 'asking: refused', { mend: 'Ask another.' });

t.test('a role that may not save leaves a policy in force that is told to be unsaved', async (t) => {
  const box = await startBox(t);
  let mayNot = true;
  const point = box.point({
    wrap: (client) => ({
      ...client,
      run: async (path, body) => {
        if (mayNot && body.command === 'save') throw refusal('EDW_ERR_BIGIP_RIGHTS');
        return client.run(path, body);
      },
    }),
  });
  for (const revision of [1, 2]) {
    t.equal((await point.apply(policyOf(revision))).revision, revision);
    const words = new RegExp(
      `eg_meta does not tell that revision ${revision} was saved: the role .*tmsh save sys config`,
    );
    t.match(await point.inspect(), { revision, drift: [], unfinished: [words] });
  }
  t.equal((await point.apply(policyOf(2))).writes, 0, 'to be refused again writes nothing');
  mayNot = false;
  await point.apply(policyOf(2));
  t.match(await point.inspect(), { revision: 2, drift: [], unfinished: [] });
});

t.test('a role that may not sync leaves a policy in force that is told to be unsynced', async (t) => {
  const users = [
    { name: 'admin', password: 'admin', role: 'manager' as const, partitions: ['Edgeward'] },
    { name: 'root', password: 'root', role: 'admin' as const },
  ];
  const box = await startBox(t, { units: 2, users });
  const point = box.point();
  t.equal((await point.apply(policyOf(1))).revision, 1);
  const words = /waits for a config-sync .*: the role of its user does not allow it.*tmsh run cm config-sync to-group/;
  t.match(await point.inspect(), { revision: 1, drift: [], unfinished: [words] });
});

t.test('what stands there under the name of a group is compared, mended or named', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const name = groupName('ip', [
    { name: '10.2.0.0/16', data: 'tcp 443 443 allow r' },
    { name: '198.51.100.1/32', data: 'tcp 443 443 allow r' },
  ]);
  await box.point().apply(policyOf(1));
  const found = {
    name,
    partition: 'Edgeward',
    type: 'ip',
    records: [{ name: '0.0.0.0/0', data: 'tcp 443 443 allow r' }],
  };
  await admin.create(INTERNAL, found);
  await box.point().apply(policyOf(2));
  t.equal((await recordsAt(admin, name))?.length, 2, 'its records are those of its name');
  t.equal(await wholeRevision(box.point()), 2);

  await box.point().apply(policyOf(3));
  await admin.remove(ownPath(INTERNAL, name)).catch(() => {});
  await admin.create(INTERNAL, { name, partition: 'Edgeward', type: 'string' });
  const point = box.point();
  const error = await point
    .apply(smallPolicy({ revision: 4, allow: ['10.2.0.0/16'] }))
    .catch((thrown: unknown) => thrown);
  t.match(error, {
    code: 'EDW_ERR_BIGIP_GROUP',
    mend: new RegExp(`tmsh delete ltm data-group internal /Edgeward/${name}`),
  });
  t.equal(await wholeRevision(box.point()), 3, 'the old one stays in force');
});

t.test('a box without the partition is told how to make it, and nothing is written', async (t) => {
  const box = await startBox(t, { config: CUSTOMERS });
  const point = box.point();
  t.strictSame(await point.inspect(), { state: 'empty' });
  const error = await point.apply(policyOf(1)).catch((thrown: unknown) => thrown);
  t.match(error, { code: 'EDW_ERR_BIGIP_PARTITION', mend: /tmsh create auth partition Edgeward/ });
  t.strictSame(
    box.unit.calls().filter(({ method, path }) => method !== 'GET' && !path.includes('/shared/')),
    [],
  );
  await box.admin().create('tm/auth/partition', { name: 'Edgeward' });
  await point.apply(policyOf(1));
  t.equal(await wholeRevision(point), 1);
});

t.test('fifty switches leave the groups of the newest three revisions, and one that a rule names', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const point = box.point();
  await point.apply(policyOf(1));
  const named = itemOf(await groupNames(admin), 0);
  const text = `when CLIENT_ACCEPTED { class match -- 1.2.3.4 equals /Edgeward/${named} }`;
  await admin.create('tm/ltm/rule', { name: 'theirs', partition: 'Common', apiAnonymous: text });
  const foreign = await readForeign(admin);
  for (let revision = 2; revision <= 50; revision += 1) await point.apply(policyOf(revision));
  const names = await groupNames(admin);
  t.ok(names.includes(named), 'what a rule of somebody names stays');
  t.equal(names.length, 4, names.join(' '));
  const meta = (await recordsAt(admin, 'eg_meta')) ?? [];
  const sets = meta.filter(({ name }) => name.startsWith('sets.'));
  t.strictSame(
    sets.map(({ name }) => name),
    ['sets.48', 'sets.49', 'sets.50'],
  );
  t.ok(
    sets.every(({ data }) => names.includes(data)),
    'every group of an earlier revision is there to go back to',
  );
  t.strictSame(await readForeign(admin), foreign);
});

t.test('a user who may only read looks, and is refused to write', async (t) => {
  const users = [{ name: 'admin', password: 'admin', role: 'guest' as const }];
  const box = await startBox(t, { users });
  const point = box.point();
  t.strictSame(await point.inspect(), { state: 'empty' });
  t.equal(await codeOf(() => point.apply(policyOf(1))), 'EDW_ERR_BIGIP_RIGHTS');
  t.strictSame(await groupNames(box.admin()), []);
});

t.test('every call that was made stands in the list of calls', async (t) => {
  const box = await startBox(t, { units: 2 });
  const point = box.point({ keptRevisions: 1 });
  await point.apply(policyOf(1));
  await point.apply(largePolicy(2, 50_100));
  await point.apply(policyOf(3));
  await Promise.all([point.inspect(), point.probe(), point.hazards()]);
  const calls = box.simulator.units.flatMap((unit) => unit.calls());
  const unknown = calls.filter(({ method, path }) => recordOf(method, path) === null);
  t.strictSame([...new Set(unknown.map(({ method, path }) => `${method} ${path}`))], []);
  t.ok(calls.length > 50);
});

t.test('what a policy binds that is no virtual server is left out and told, and the rest is in force', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  const policy = smallPolicy({ revision: 1, allow: ['10.2.0.0/16'], binds: ['/Common/vs_orders', '/Common/vs_crm'] });
  for (const bind of ['orders', '/Common/a;b', '/Common/[exec]', '/Common/a b', `/Common/${'x'.repeat(300)}`]) {
    const objects = policy.objects.map((object) => (object.bind === '/Common/vs_crm' ? { ...object, bind } : object));
    await point.apply({ ...policy, objects });
    t.match(await point.inspect(), { revision: 1, drift: [], unfinished: [] }, bind.slice(0, 20));
    const hazards = (await point.hazards()).filter(({ code }) => code === 'bind-unusable');
    t.match(hazards, [{ object: 'front-1', mend: /front-1/ }], bind.slice(0, 20));
    const records = (await recordsAt(box.admin(), 'eg_map')) ?? [];
    t.strictSame(
      records.map(({ name }) => name),
      ['/Common/vs_orders', 'edgeward'],
    );
  }
  await point.apply({ ...policy, revision: 2 });
  t.notOk(
    (await point.hazards()).some(({ code }) => code === 'bind-unusable'),
    'mended, nothing is told any more',
  );
});

t.test('a box holds the policy of one point: another one does not replace it', async (t) => {
  const box = await startBox(t);
  const policy = smallPolicy({ revision: 1, allow: ['10.2.0.0/16'] });
  await box.point().apply(policy);
  const other = { ...smallPolicy({ revision: 5, allow: ['10.3.0.0/16'] }), point: 'dc2' };
  t.equal(await codeOf(() => box.point({ name: 'dc2' }).apply(other)), 'EDW_ERR_POINT_TAKEN');
  t.match(await box.point().inspect(), { revision: 1, drift: [] }, 'nothing was written');

  const records = (await recordsAt(box.admin(), 'eg_map')) ?? [];
  const nameless = records.map(({ name, data }) => ({
    name,
    data: name === 'edgeward' ? data.replace(/ \S+$/, '') : data,
  }));
  await rewrite(box.admin(), 'eg_map', () => nameless);
  await box.point({ name: 'dc2' }).apply(other);
  t.match(await box.point().inspect(), { revision: 5 }, 'without the name it is taken over');
});

t.test('a virtual server that is not listed keeps the route domain of its entry', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const policy = smallPolicy({ revision: 1, allow: ['10.2.0.0/16'] });
  await admin.create('tm/net/route-domain', { name: '2', partition: 'Common', id: 2 });
  await admin.modify(objectPath('tm/ltm/virtual', '/Common/vs_orders'), { destination: '/Common/10.0.0.1%2:443' });
  await box.point().apply(policy);
  const before = await recordsAt(admin, 'eg_map');
  const wrap = (client: Icontrol): Icontrol => ({
    ...client,
    list: async (path, query) =>
      (await client.list(path, query)).filter(({ fullPath }) => fullPath !== '/Common/vs_orders'),
  });
  t.equal((await box.point({ wrap }).apply(policy)).writes, 0);
  t.strictSame(await recordsAt(admin, 'eg_map'), before);
  t.match(before?.[0]?.data, / 2 \S+$/);
});
