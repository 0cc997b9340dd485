/** What somebody changes on a box behind the driver's back: it is told in words, by a new process too, and repaired. */
import t from 'tap';
import { type Icontrol, objectPath } from '../driver/icontrol/index.ts';
import { startBox, type TestBox } from './fixtures/box.ts';
import { groupNamed, groupPath, readOwnState, recordsAt, rewrite } from './fixtures/own-state.ts';
import { smallPolicy } from './fixtures/policies.ts';

const L4 = '/Edgeward/eg_enforce_l4_v1';
const L7 = '/Edgeward/eg_enforce_l7_v1';
const ORDERS = objectPath('tm/ltm/virtual', '/Common/vs_orders');
const http = [{ path: '/v1/*' }];
const policy = smallPolicy({ revision: 7, allow: ['10.1.0.0/16', '10.3.0.0/16', '10.5.0.0/16'], http });

interface Tampering {
  name: string;
  tamper(box: Icontrol): Promise<unknown>;
  /** Told by the process that applied. */
  words: RegExp[];
  /** Told by a process that was not there. */
  wordsOfHeir?: RegExp[];
  unfinished?: RegExp[];
}

const tamperings: Tampering[] = [
  {
    name: 'a source more',
    tamper: async (box) => {
      const added = { name: '203.0.113.9/32', data: 'tcp 443 443 allow r' };
      await rewrite(box, await groupNamed(box, 'eg_s_'), (records) => [...records, added]);
    },
    words: [/^\/Edgeward\/eg_s_\w+: "203\.0\.113\.9\/32" was added$/],
    wordsOfHeir: [/^\/Edgeward\/eg_s_\w+: it holds 5 records that are not its own$/],
  },
  {
    name: 'every source gone',
    tamper: async (box) => rewrite(box, await groupNamed(box, 'eg_s_'), () => []),
    words: [
      /10\.1\.0\.0\/16 is missing/,
      /10\.3\.0\.0\/16 is missing/,
      /10\.5\.0\.0\/16 is missing/,
      /: 1 more of its records differ$/,
    ],
    wordsOfHeir: [/it holds 0 records that are not its own/],
  },
  {
    name: 'another condition on requests',
    tamper: async (box) =>
      rewrite(box, await groupNamed(box, 'eg_r_'), (records) =>
        records.map((one) => ({ ...one, data: 'allow r * * *' })),
      ),
    words: [/^\/Edgeward\/eg_r_\w+: 0 is "allow r \* \* \*", not "allow r \* \/v1\/\* \*"$/],
    wordsOfHeir: [/it holds 1 records that are not its own/],
  },
  {
    name: 'a group deleted',
    tamper: async (box) => box.remove(groupPath(await groupNamed(box, 'eg_r_'))),
    words: [/^\/Edgeward\/eg_r_\w+: it is missing$/],
  },
  {
    name: 'a virtual server switched off in the map',
    tamper: (box) =>
      rewrite(box, 'eg_map', (records) =>
        records.map(({ name, data }) => ({ name, data: data.replace('enforce', 'off') })),
      ),
    words: [/^\/Edgeward\/eg_map: \/Common\/vs_orders is "7 off http/],
    wordsOfHeir: [/^\/Edgeward\/eg_map: its records are not those that its head was made for$/],
  },
  {
    name: 'an entry of nobody in the map, with a text that moves a terminal',
    tamper: (box) =>
      rewrite(box, 'eg_map', (records) => [...records, { name: '/Common/x\u001b[2J\u202e', data: 'y'.repeat(900) }]),
    words: [/^\/Edgeward\/eg_map: "\/Common\/x \[2J ?" was added$/],
    wordsOfHeir: [/its records are not those/],
  },
  {
    name: 'a rule that lets everybody in',
    tamper: (box) => box.modify(objectPath('tm/ltm/rule', L4), { apiAnonymous: 'when CLIENT_ACCEPTED { return }' }),
    words: [/^\/Edgeward\/eg_enforce_l4_v1: its text differs from line 1 on$/],
  },
  {
    name: 'a rule deleted',
    tamper: (box) => box.remove(objectPath('tm/ltm/rule', L7)),
    words: [/^\/Edgeward\/eg_enforce_l7_v1: the rule is missing$/],
  },
  {
    name: 'meta of another revision',
    tamper: (box) =>
      rewrite(box, 'eg_meta', (records) =>
        records.map((one) => (one.name === 'revision' ? { ...one, data: '6' } : one)),
      ),
    words: [],
    unfinished: [/^\/Edgeward\/eg_meta does not tell that revision 7 was saved$/],
  },
];

t.test('what was changed is told, by a process that was not there too, and repaired', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  await point.apply(policy);
  const state = await readOwnState(box.admin());
  for (const { name, tamper, words, wordsOfHeir = words, unfinished = [] } of tamperings) {
    await tamper(box.admin());
    const found = await point.inspect();
    await tells(t, found, words, name);
    t.match(found, { unfinished }, name);
    await tells(t, await box.point().inspect(), wordsOfHeir, `${name}: by a new process`);
    t.ok((await point.apply(policy)).writes > 0, `${name}: repaired`);
    t.strictSame(await readOwnState(box.admin()), state, `${name}: as it was`);
    t.match(await point.inspect(), { revision: 7, drift: [], unfinished: [] });
  }
});

interface Claims {
  equal(found: unknown, wanted: unknown, claim: string): unknown;
  match(found: string, pattern: RegExp, claim: string): unknown;
}

async function tells(t: Claims, actual: unknown, words: RegExp[], name: string): Promise<void> {
  const { drift = [] } = actual as { drift?: string[] };
  t.equal(drift.length, words.length, `${name}: ${JSON.stringify(drift)}`);
  for (const [index, pattern] of words.entries()) t.match(drift[index] ?? '', pattern, name);
}

t.test('a map without its head is no policy, as the rules see it', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  await point.apply(policy);
  await rewrite(box.admin(), 'eg_map', (records) => records.filter(({ name }) => name !== 'edgeward'));
  t.strictSame(await point.inspect(), { state: 'empty' });
  await point.apply(policy);
  t.match(await point.inspect(), { state: 'loaded', revision: 7, drift: [] });
});

t.test('a head that nobody of us can have written is told, and never numbered on from', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  await point.apply(policy);
  for (const head of ['1 999999999999999 ', '1 1099511627777 ', '2 7 ', 'x ']) {
    await rewrite(box.admin(), 'eg_map', (records) =>
      records.map((one) => (one.name === 'edgeward' ? { ...one, data: one.data.replace(/^1 7 /, head) } : one)),
    );
    const words = /^\/Edgeward\/eg_map: its head edgeward is not readable$/;
    t.match(await point.inspect(), { state: 'loaded', revision: 0, drift: [words], unfinished: [] }, head);
    t.equal((await point.apply(policy)).revision, 7, head);
    t.match(await point.inspect(), { revision: 7, drift: [], unfinished: [] }, head);
  }
});

const flagsOf = async (box: TestBox): Promise<string> => (await mapEntry(box)).split(' ')[6] ?? '';
const openRequests = async (box: Icontrol): Promise<void> =>
  rewrite(box, await groupNamed(box, 'eg_r_'), (records) => records.map((one) => ({ ...one, data: 'allow r * * *' })));

t.test(
  'every repair of a group is counted in the map, by whichever process, and a later policy keeps the number',
  async (t) => {
    const box = await startBox(t);
    const admin = box.admin();
    const point = box.point();
    await point.apply(policy);
    t.equal(await flagsOf(box), '-');
    await openRequests(admin);
    await point.apply(policy);
    t.equal(await flagsOf(box), 'r1');
    await admin.remove(groupPath(await groupNamed(admin, 'eg_r_')));
    await box.point().apply(policy);
    t.equal(await flagsOf(box), 'r2', 'what stood there before it was deleted, nobody knows');
    t.match(await point.inspect(), { drift: [], unfinished: [] }, 'the number of another process is no drift');
    await rewrite(admin, 'eg_map', () => []);
    await point.apply(policy);
    t.equal(await flagsOf(box), 'r2', 'also when the map was lost');
    await openRequests(admin);
    await point.apply(smallPolicy({ revision: 8, allow: ['10.1.0.0/16'] }));
    t.equal(await flagsOf(box), 'r3', 'also when the group goes out of force');
    t.equal((await point.apply(smallPolicy({ revision: 8, allow: ['10.1.0.0/16'] }))).writes, 0);
  },
);

t.test('a group that somebody changed and put back himself is a repair that the map has to tell', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const point = box.point();
  await point.apply(policy);
  const name = await groupNamed(admin, 'eg_r_');
  const records = (await recordsAt(admin, name)) ?? [];
  await openRequests(admin);
  t.match(await point.inspect(), { drift: [/eg_r_/], unfinished: [] });
  await rewrite(admin, name, () => records);
  t.match(await point.inspect(), { drift: [], unfinished: [/eg_map does not tell of a repair/] });
  await point.apply(policy);
  t.equal(await flagsOf(box), 'r1');
  t.match(await point.inspect(), { drift: [], unfinished: [] });
});

t.test('a repair that was cut off before the map told of it is told by the next process', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  await point.apply(policy);
  await openRequests(box.admin());
  // The first of the two is the one that is only validated.
  box.unit.inject({ kind: 'reset', method: 'PATCH', path: 'eg_map', after: 1 });
  await t.rejects(point.apply(policy), { code: 'EDW_ERR_POINT_UNREACHABLE' });
  t.equal(await flagsOf(box), '-');
  const heir = box.point();
  t.match(await heir.inspect(), { drift: [], unfinished: [/eg_map does not tell of a repair/] });
  await heir.apply(policy);
  t.equal(await flagsOf(box), 'r1');
  t.match(await heir.inspect(), { drift: [], unfinished: [] });
});

t.test('a virtual server that moved, or got one rule of two, is laid out anew', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  const point = box.point();
  await point.apply(policy);
  await admin.modify(ORDERS, { rules: [L4, '/Common/customers_rule'] });
  await tells(
    t,
    await point.inspect(),
    [/^\/Common\/vs_orders: it now lacks .*l7_v1, so that nobody judges its requests$/],
    'one rule',
  );
  await point.apply(policy);
  t.match(await mapEntry(box), / blind$/, 'the map says that requests are not judged');
  await admin.modify(ORDERS, { rules: [L4, L7, '/Common/customers_rule'] });
  await tells(
    t,
    await point.inspect(),
    [/^\/Common\/vs_orders: it now has a rule that judges requests$/],
    'both rules',
  );
  await point.apply(policy);
  t.match(await mapEntry(box), / 0 -$/, 'and now that they are');

  await admin.create('tm/net/route-domain', { name: '2', partition: 'Common', id: 2 });
  await admin.modify(ORDERS, { destination: '/Common/10.0.0.1%2:443' });
  await tells(
    t,
    await point.inspect(),
    [/^\/Common\/vs_orders: it is in route domain 2, and the map says 0$/],
    'moved',
  );
  await point.apply(policy);
  t.match(await mapEntry(box), / 2 -$/);
  const name = await nameInForce(box);
  t.ok(
    (await recordsAt(admin, name))?.every(({ name }) => name.includes('%2/')),
    'sources are those of its domain',
  );
});

async function mapEntry(box: TestBox): Promise<string> {
  return (await recordsAt(box.admin(), 'eg_map'))?.find(({ name }) => name === '/Common/vs_orders')?.data ?? '';
}

async function nameInForce(box: TestBox): Promise<string> {
  return (await mapEntry(box)).split(' ')[3] ?? '';
}

t.test('a group that nobody wrote since it was found whole is not read again', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  await point.apply(policy);
  const reads = (): number => box.unit.calls().filter(({ path }) => /~eg_[sr]_/.test(path)).length;
  const before = reads();
  await point.inspect();
  await point.inspect();
  t.equal(reads(), before, 'two looks read none');
  await box.point().inspect();
  t.equal(reads(), before + 2, 'a new process reads each once');
});

t.test('a box that lost what was not saved says so by what it holds', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  await point.apply(smallPolicy({ revision: 6, allow: ['10.1.0.0/16'] }));
  box.unit.inject({ kind: 'reset', method: 'POST', path: 'tm/sys/config' });
  await t.rejects(point.apply(policy), { code: 'EDW_ERR_POINT_UNREACHABLE' });
  const actual = await box.point().inspect();
  t.match(
    actual,
    { revision: 7, drift: [], unfinished: [/eg_meta does not tell/] },
    'in force, and not known to be saved',
  );
  await box.unit.reboot();
  t.match(await point.inspect(), { revision: 6 }, 'the reboot brings back the old one, whole');
  await point.apply(policy);
  t.match(await point.inspect(), { revision: 7, drift: [] });
});
