/** Rules come first on a virtual server or leave it, nothing else of it changes, and a foreign hand is found. */
import t from 'tap';
import { type Icontrol, objectPath } from '../../driver/icontrol/index.ts';
import { codeOf } from '../fixtures/codes.ts';
import { readForeign } from '../fixtures/own-state.ts';
import { smallPolicy } from '../fixtures/policies.ts';
import { isWrite, type ReviewedBox, startReviewedBox } from './fixtures/review.ts';

const L4 = '/Edgeward/eg_enforce_l4_v1';
const L7 = '/Edgeward/eg_enforce_l7_v1';
const OWN = '/Common/customers_rule';
const VIRTUALS = 'tm/ltm/virtual';
const ORDERS = '/Common/vs_orders';
const binds = [ORDERS, '/Common/vs_crm'];
const policy = smallPolicy({ revision: 1, allow: ['10.1.0.0/16'], binds });

interface Change {
  virtuals?: string[];
  protocol?: 'http' | 'tcp' | null;
  does?: 'attach' | 'detach';
  dryRun?: boolean;
  force?: boolean;
}

function change(box: ReviewedBox, wanted: Change = {}, wrap?: (box: Icontrol) => Icontrol) {
  const { virtuals = [ORDERS], protocol = 'http', does = 'attach', dryRun = false, force = false } = wanted;
  const review = box.review(wrap, { syncTimeoutMs: 2000 });
  return review.changeRules({ virtuals: virtuals.map((fullPath) => ({ fullPath, protocol })), does, dryRun, force });
}

async function rulesOf(box: ReviewedBox, virtual = ORDERS, unit = 0): Promise<unknown> {
  return (await box.admin(unit).get(objectPath(VIRTUALS, virtual)))?.rules ?? [];
}

const setRules = (box: Icontrol, rules: string[], virtual = ORDERS): Promise<unknown> =>
  box.modify(objectPath(VIRTUALS, virtual), { rules });

t.test('ours come first, others keep their order, and a second time nothing is written', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  const rule = (name: string) => ({ name, partition: 'Common', apiAnonymous: 'when CLIENT_DATA { }' });
  for (const name of ['a', 'b']) await box.admin().create('tm/ltm/rule', rule(name));
  const rows: [string, string[], 'http' | 'tcp', string[]][] = [
    ['none', [], 'http', [L4, L7]],
    ['one', [OWN], 'http', [L4, L7, OWN]],
    ['several', ['/Common/b', OWN, '/Common/a'], 'http', [L4, L7, '/Common/b', OWN, '/Common/a']],
    ['ours, but last', [OWN, L7, L4], 'http', [L4, L7, OWN]],
    ['half of ours', [OWN, L4], 'http', [L4, L7, OWN]],
    ['connections only', [OWN, L7, '/Common/a'], 'tcp', [L4, OWN, '/Common/a']],
  ];
  for (const [name, before, protocol, after] of rows) {
    await setRules(box.admin(), before);
    t.match(await change(box, { protocol }), { sync: 'alone', changes: [{ before, after, mode: 'enforce' }] }, name);
    t.strictSame(await rulesOf(box), after, name);
    box.calls();
    const again = await change(box, { protocol });
    t.match(again.changes, [{ before: after, after, warnings: [] }], name);
    t.strictSame(box.calls().filter(isWrite), [], `${name}: again`);
    await change(box, { does: 'detach' });
    t.strictSame(
      await rulesOf(box),
      before.filter((it) => it !== L4 && it !== L7),
      `${name}: detached`,
    );
  }
});

t.test('an older version of ours gives way to the newer one', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  const old = { name: 'eg_enforce_l4_v0', partition: 'Edgeward', apiAnonymous: 'when CLIENT_ACCEPTED { }' };
  await box.admin().create('tm/ltm/rule', old);
  await setRules(box.admin(), ['/Edgeward/eg_enforce_l4_v0', OWN]);
  await change(box);
  t.strictSame(await rulesOf(box), [L4, L7, OWN]);
});

t.test('nothing else of the virtual server changes, and it survives a reboot', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  const before = await readForeign(box.admin());
  await change(box, { virtuals: binds });
  const writes = box.calls().filter(isWrite).slice(-3);
  t.strictSame(
    writes.map(({ method, path }) => `${method} ${path}`),
    [`PATCH ${VIRTUALS}/~Common~vs_orders`, `PATCH ${VIRTUALS}/~Common~vs_crm`, 'POST tm/sys/config'],
  );
  await box.unit.reboot();
  t.strictSame(await rulesOf(box), [L4, L7, OWN]);
  await change(box, { virtuals: binds, does: 'detach' });
  const plain = (foreign: unknown): unknown => JSON.parse(JSON.stringify(foreign).replaceAll('"rules":[],', ''));
  t.strictSame(plain(await readForeign(box.admin())), plain(before));
});

const FAST = `
ltm virtual /Common/vs_fast {
    destination /Common/10.0.0.3:443
    profiles {
        /Common/fastL4 { }
    }
}
ltm virtual /Common/vs_plain {
    destination /Common/10.0.0.4:443
    ip-protocol tcp
    profiles {
        /Common/tcp { }
    }
}
auth partition Edgeward { }
`;

t.test('what would deny everything, or judge nothing, is refused before anything is written', async (t) => {
  const box = await startReviewedBox(t, { config: FAST });
  t.equal(
    await codeOf(() => change(box, { virtuals: ['/Common/vs_plain'], protocol: 'tcp' })),
    'EDW_ERR_BIGIP_NO_RULES',
  );
  await box.point().apply(smallPolicy({ revision: 1, binds: ['/Common/vs_plain'], protocol: 'tcp' }));
  box.calls();
  const refused: [string, Change, string][] = [
    ['no such virtual server', { virtuals: ['/Common/vs_none'] }, 'EDW_ERR_BIGIP_VIRTUAL'],
    ['no address in iControl REST', { virtuals: ['/Common/a~b'] }, 'EDW_ERR_BIGIP_NAME'],
    ['no HTTP profile', { virtuals: ['/Common/vs_plain'] }, 'EDW_ERR_BIGIP_NO_HTTP'],
    ['FastL4', { virtuals: ['/Common/vs_fast'] }, 'EDW_ERR_BIGIP_NO_HTTP'],
    ['no entry', { virtuals: ['/Common/vs_fast'], protocol: 'tcp' }, 'EDW_ERR_BIGIP_NO_ENTRY'],
    [
      'one of several',
      { virtuals: ['/Common/vs_plain', '/Common/vs_fast'], protocol: 'tcp' },
      'EDW_ERR_BIGIP_NO_ENTRY',
    ],
    ['no such virtual server to detach', { virtuals: ['/Common/vs_none'], does: 'detach' }, 'EDW_ERR_BIGIP_VIRTUAL'],
  ];
  for (const [name, wanted, code] of refused) t.equal(await codeOf(() => change(box, wanted)), code, name);
  t.strictSame(box.calls().filter(isWrite), []);
  const forced = await change(box, { virtuals: ['/Common/vs_fast'], protocol: null, force: true });
  t.match(forced.changes, [{ after: [L4], warnings: [/everything will be denied/] }]);
  t.strictSame(await rulesOf(box, '/Common/vs_fast'), [L4]);
});

t.test('a rule of another text is not attached', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  await box.admin().modify(objectPath('tm/ltm/rule', L7), { apiAnonymous: 'when HTTP_REQUEST { }' });
  t.equal(await codeOf(() => change(box)), 'EDW_ERR_BIGIP_NO_RULES');
  t.strictSame(await rulesOf(box), [OWN]);
});

t.test('somebody who writes the rules between the look and the write loses nothing', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  /** Their write comes when ours have been compared with what is on the box. */
  const wrap = (own: Icontrol): Icontrol => ({
    ...own,
    async get(path, query) {
      const found = await own.get(path, query);
      if (path.endsWith('eg_enforce_l7_v1')) await setRules(own, []);
      return found;
    },
  });
  t.equal(await codeOf(() => change(box, {}, wrap)), 'EDW_ERR_BIGIP_VIRTUAL_CHANGED');
  t.strictSame(await rulesOf(box), [], 'theirs stand');
});

t.test('somebody who writes the rules right after us is told', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  const wrap = (own: Icontrol): Icontrol => ({
    ...own,
    async modify(path, body) {
      const made = await own.modify(path, body);
      await setRules(own, [OWN]);
      return made;
    },
  });
  t.equal(await codeOf(() => change(box, {}, wrap)), 'EDW_ERR_BIGIP_VIRTUAL_CHANGED');
});

t.test('what was written before a failure is saved, and the failure says how much that is', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  const wrap = (own: Icontrol): Icontrol => ({
    ...own,
    async modify(path, body) {
      if (path.endsWith('vs_crm')) await setRules(box.admin(), [], ORDERS);
      return path.endsWith('vs_crm') ? own.modify(path, { rules: [] }) : own.modify(path, body);
    },
  });
  await t.rejects(change(box, { virtuals: binds }, wrap), { message: /; 1 of 2 virtual servers were written before$/ });
  t.match(box.calls().filter(isWrite).at(-1), { path: 'tm/sys/config' });
});

t.test('a pair that was in sync is synced, on the unit that is active', async (t) => {
  const box = await startReviewedBox(t, { units: 2 });
  await box.point().apply(policy);
  t.match(await change(box), { sync: 'done', syncCommand: null });
  t.strictSame(
    [await rulesOf(box, ORDERS, 0), await rulesOf(box, ORDERS, 1)],
    [
      [L4, L7, OWN],
      [L4, L7, OWN],
    ],
  );
  await box.simulator.failover();
  t.match(await change(box, { does: 'detach' }), { sync: 'done', unit: 'bigip-b.example' });
  t.strictSame([await rulesOf(box, ORDERS, 0), await rulesOf(box, ORDERS, 1)], [[OWN], [OWN]]);
});

t.test('changes of others are not synced along: a person is told the command', async (t) => {
  const box = await startReviewedBox(t, { units: 2 });
  await box.point().apply(policy);
  await setRules(box.admin(), [], '/Common/vs_crm');
  const dry = await change(box, { dryRun: true });
  const result = await change(box);
  t.match(result, { sync: 'due', syncCommand: /^tmsh run cm config-sync to-group \S+$/ });
  t.equal(dry.sync, 'due');
  t.strictSame([await rulesOf(box, ORDERS, 0), await rulesOf(box, ORDERS, 1)], [[L4, L7, OWN], [OWN]]);
});

t.test('where the policy in force is for another route domain, nothing is attached', async (t) => {
  const box = await startReviewedBox(t);
  await box.point().apply(policy);
  await box.admin().create('tm/net/route-domain', { name: '2', partition: 'Common', id: 2 });
  await box.admin().modify(objectPath(VIRTUALS, ORDERS), { destination: '/Common/10.0.0.1%2:443' });
  const before = await rulesOf(box);
  for (const dryRun of [true, false])
    t.equal(await codeOf(() => change(box, { dryRun })), 'EDW_ERR_BIGIP_ROUTE_DOMAIN', `dry run ${dryRun}`);
  t.strictSame(await rulesOf(box), before);
  await change(box, { does: 'detach' });
  t.match(await change(box, { force: true }), { changes: [{ warnings: [/route domain 2/, /enforce/] }] });
  await change(box, { does: 'detach' });
  await box.point().apply(policy);
  await change(box);
  t.strictSame(await rulesOf(box), [L4, L7, OWN], 'with its own, it is attached');
});
