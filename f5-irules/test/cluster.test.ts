/** A pair: writes go to the active unit, the other one follows by config-sync, and nobody else's changes go with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '@edgeward/runtime';
import t from 'tap';
import { type Icontrol, type Json, objectPath } from '../driver/icontrol/index.ts';
import { itemOf, startBox, type TestBox } from './fixtures/box.ts';
import { codeOf } from './fixtures/codes.ts';
import { readOwnState } from './fixtures/own-state.ts';
import { smallPolicy } from './fixtures/policies.ts';

const policyA = smallPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
const policyB = smallPolicy({ revision: 2, allow: ['10.2.0.0/16'] });
const policyC = smallPolicy({ revision: 3, allow: ['10.3.0.0/16'] });
const CUSTOMERS_GROUP = objectPath('tm/ltm/data-group/internal', '/Common/customers_group');
const GROUP = 'tm/cm/device-group';

const syncs = (box: TestBox): number =>
  box.simulator.units
    .flatMap((unit) => unit.calls())
    .filter(({ method, path }) => method === 'POST' && /tm\/cm$/.test(path)).length;

/** Writes that one unit saw, logins aside. */
const writesAt = (box: TestBox, unit: number): number =>
  itemOf(box.simulator.units, unit)
    .calls()
    .filter(({ method, path }) => method !== 'GET' && !path.includes('/shared/')).length;

async function failoverGroup(box: TestBox): Promise<Json> {
  return itemOf(
    (await box.admin(0).list(GROUP)).filter(({ type }) => type === 'sync-failover'),
    0,
  );
}

/** Somebody writes on the active unit and syncs nothing. */
async function writeAsOthers(box: TestBox, data: string): Promise<void> {
  await box.admin(0).modify(CUSTOMERS_GROUP, { records: [{ name: '10.9.0.0/16', data }] });
}

async function othersData(box: TestBox, unit: number): Promise<unknown> {
  const group = await box.admin(unit).get(CUSTOMERS_GROUP);
  return (group?.records as { data: string }[] | undefined)?.[0]?.data;
}

async function revisionAt(box: TestBox, unit: number): Promise<string> {
  const map = await box.admin(unit).get(objectPath('tm/ltm/data-group/internal', '/Edgeward/eg_map'));
  return String(map?.description ?? '').replace(/^Edgeward revision (\d+), .*$/, '$1');
}

async function syncByHand(box: TestBox, from = 0): Promise<void> {
  const { name } = await failoverGroup(box);
  await box.admin(from).run('tm/cm', { command: 'run', utilCmdArgs: `config-sync to-group ${String(name)}` });
  const status = async (): Promise<string> => JSON.stringify(await box.admin(0).get('tm/cm/sync-status'));
  for (let looks = 0; looks < 3_000 && !(await status()).includes('"In Sync"'); looks += 1) await sleep(10);
}

t.test('a policy comes into force on the active unit and is on the other one when apply returns', async (t) => {
  const box = await startBox(t, { units: 2 });
  const point = box.point();
  t.strictSame(await point.inspect(), { state: 'empty' });
  await point.apply(policyA);
  t.strictSame(await readOwnState(box.admin(1)), await readOwnState(box.admin(0)), 'both hold the same');
  t.equal(writesAt(box, 1), 0, 'nothing was written to the standby');
  t.match(await point.inspect(), { revision: 1, drift: [] });
  const before = [writesAt(box, 0), syncs(box)];
  t.strictSame([(await point.apply(policyA)).writes, (await box.point().apply(policyA)).writes], [0, 0]);
  t.strictSame([writesAt(box, 0), syncs(box)], before, 'applied again, nothing is written and nothing synced');

  const token = await point.probe();
  await box.simulator.failover();
  t.not(await point.probe(), token, 'the probe tells a failover');
  t.match(await point.inspect(), { revision: 1, drift: [] }, 'the other unit has it in force');
  await point.apply(policyB);
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['2', '2'], 'and takes the next one');
});

/** Runs once, in the driver's own call, before or after it. */
function once(run: () => Promise<void>): () => Promise<void> {
  let done = false;
  return async () => {
    if (done) return;
    done = true;
    await run();
  };
}

t.test('a failover between groups and switch leaves the old policy whole, and the next attempt goes on', async (t) => {
  const box = await startBox(t, { units: 2 });
  await box.point().apply(policyA);
  const fail = once(() => box.simulator.failover());
  const wrap = (client: Icontrol): Icontrol => ({
    ...client,
    validate: async (change) => {
      await client.validate(change);
      await fail();
    },
  });
  const point = box.point({ wrap });
  t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_BIGIP_FAILOVER');
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['1', '1'], 'the old one everywhere');
  t.match(await box.point().inspect(), { revision: 1 });
  t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', 'the other unit changed last');
  t.equal(await revisionAt(box, 1), '2', 'it is in force where it counts');
  await syncByHand(box, 1);
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['2', '2']);
  t.equal((await box.point().apply(policyB)).writes, 0);
  t.match(await box.point().inspect(), { revision: 2, drift: [] });
});

t.test('a failover between switch and sync is told, and nothing is overwritten until a person decides', async (t) => {
  const box = await startBox(t, { units: 2 });
  await box.point().apply(policyA);
  const fail = once(() => box.simulator.failover());
  const wrap = (client: Icontrol): Icontrol => ({
    ...client,
    run: async (path, body) => {
      const answer = await client.run(path, body);
      await fail();
      return answer;
    },
  });
  const point = box.point({ wrap });
  t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_BIGIP_FAILOVER');
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['2', '1'], 'each unit holds one policy, whole');
  t.match(await box.point().inspect(), { revision: 1 });
  const before = syncs(box);
  t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', 'the other unit changed last');
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['2', '2'], 'it is in force where it counts');
  t.equal(syncs(box), before);
  await syncByHand(box);
  t.equal((await box.point().apply(policyB)).writes, 0);
  t.match(await box.point().inspect(), { revision: 2, drift: [] });
});

t.test('a sync that never began is made up for by the same process, with nothing but the sync', async (t) => {
  const box = await startBox(t, { units: 2 });
  const point = box.point();
  await point.apply(policyA);
  box.unit.inject({ kind: 'reset', method: 'POST', path: 'tm/cm' });
  t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_POINT_UNREACHABLE');
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['2', '1']);
  t.match(await point.inspect(), { revision: 2 });
  t.equal(
    await codeOf(() => box.point().apply(policyB)),
    'EDW_ERR_BIGIP_FOREIGN_CHANGES',
    'a new process can not know that nobody else wrote',
  );
  t.equal((await point.apply(policyB)).writes, 1, 'the command alone');
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['2', '2']);
});

t.test('what an administrator wrote while our own changes waited is not carried along', async (t) => {
  const box = await startBox(t, { units: 2 });
  const point = box.point();
  await point.apply(policyA);
  box.unit.inject({ kind: 'reset', method: 'POST', path: 'tm/cm' });
  t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_POINT_UNREACHABLE');
  await writeAsOthers(box, 'half done');
  const before = syncs(box);
  for (const [name, driver] of [
    ['this process', point],
    ['a new one', box.point()],
  ] as const) {
    t.equal(await codeOf(() => driver.apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', name);
  }
  t.equal(await codeOf(() => point.apply(policyC)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', 'nor with the next policy');
  await sleep(50);
  t.equal(syncs(box), before, 'nothing was synced');
  t.strictSame([await othersData(box, 1), await revisionAt(box, 1)], ['mine', '1'], 'the other unit is as it was');
  t.equal(await revisionAt(box, 0), '3', 'the policy is in force all the same');
});

t.test('after a failover, work on the unit that was active before is not overwritten', async (t) => {
  for (const syncOthersChanges of [false, true]) {
    const box = await startBox(t, { units: 2 });
    const point = box.point({ syncOthersChanges });
    await point.apply(policyA);
    await writeAsOthers(box, 'half done');
    await box.simulator.failover();
    const before = syncs(box);
    for (const driver of [point, box.point({ syncOthersChanges })])
      for (const policy of [policyB, policyB])
        t.equal(await codeOf(() => driver.apply(policy)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', `${syncOthersChanges}`);
    await sleep(50);
    t.equal(syncs(box), before, 'nothing was synced');
    t.strictSame([await othersData(box, 0), await othersData(box, 1)], ['half done', 'mine']);
    t.equal(await revisionAt(box, 1), '2', 'the policy is in force on the active unit');
  }
});

t.test('what is changed on the other unit in the middle of an apply is not overwritten', async (t) => {
  const box = await startBox(t, { units: 2 });
  await box.point().apply(policyA);
  const others = once(async () => {
    await box.admin(1).modify(CUSTOMERS_GROUP, { records: [{ name: '10.9.0.0/16', data: 'on the standby' }] });
  });
  const wrap = (client: Icontrol): Icontrol => ({
    ...client,
    validate: async (change) => {
      await client.validate(change);
      await others();
    },
  });
  t.equal(await codeOf(() => box.point({ wrap }).apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES');
  await sleep(50);
  t.strictSame([await othersData(box, 0), await othersData(box, 1)], ['mine', 'on the standby']);
});

t.test('changes of somebody else that wait are not synced, and the policy is in force all the same', async (t) => {
  const box = await startBox(t, { units: 2 });
  const point = box.point();
  await point.apply(policyA);
  await writeAsOthers(box, 'half done');
  t.equal((await point.apply(policyA)).writes, 0, 'nothing of ours waits: that is no business of ours');
  t.match(await point.inspect(), { revision: 1, drift: [] });

  const before = syncs(box);
  for (const [name, driver] of [
    ['this process', point],
    ['a new one', box.point()],
    ['a third', box.point()],
  ] as const) {
    t.equal(await codeOf(() => driver.apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', name);
    t.match(
      await driver.inspect(),
      { revision: 2, drift: [], unfinished: [/waits for a config-sync/] },
      `${name}: in force, and told`,
    );
  }
  t.equal(syncs(box), before, 'nothing was synced');
  t.strictSame([await othersData(box, 1), await revisionAt(box, 1)], ['mine', '1'], 'the other unit is as it was');

  await syncByHand(box);
  t.equal((await point.apply(policyB)).writes, 0, 'synced by hand, all is done');
  t.match(await point.inspect(), { revision: 2, drift: [] });
  await point.apply(policyC);
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['3', '3'], 'and the next one is synced again');
});

t.test('who allows it has the changes of others synced with those of Edgeward', async (t) => {
  const box = await startBox(t, { units: 2 });
  const point = box.point({ syncOthersChanges: true });
  await point.apply(policyA);
  await writeAsOthers(box, 'done');
  await point.apply(policyB);
  t.strictSame([await othersData(box, 1), await revisionAt(box, 1)], ['done', '2']);
});

t.test('a pair that syncs by itself is waited for and never commanded', async (t) => {
  const box = await startBox(t, { units: 2 });
  const group = await failoverGroup(box);
  await box.admin(0).modify(objectPath(GROUP, String(group.fullPath)), { autoSync: 'enabled' });
  const point = box.point();
  await point.apply(policyA);
  t.strictSame([await revisionAt(box, 0), await revisionAt(box, 1)], ['1', '1']);
  await writeAsOthers(box, 'done');
  await point.apply(policyB);
  t.strictSame([await revisionAt(box, 1), await othersData(box, 1)], ['2', 'done']);
  t.equal(syncs(box), 0);
});

t.test(
  'while the other unit is down the policy is in force; back again, it gets what it missed when somebody looked',
  async (t) => {
    const { clock, release } = patientClock();
    const box = await startBox(t, { units: 2, rebootMs: LONG_MS, clock });
    const point = box.point();
    await point.apply(policyA);
    const reboot = itemOf(box.simulator.units, 1).reboot();
    t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_BIGIP_NOT_SYNCED');
    t.match(await point.inspect(), { revision: 2, drift: [], unfinished: [/.*\(Disconnected\)$/] });
    await release(reboot);
    // Nobody knows what others wrote meanwhile.
    t.equal(await codeOf(() => point.apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES');
    t.equal(await codeOf(() => box.point().apply(policyB)), 'EDW_ERR_BIGIP_FOREIGN_CHANGES', 'nor does a new process');
    await syncByHand(box);
    t.equal((await point.apply(policyB)).writes, 0);
    t.match(await point.inspect(), { revision: 2, drift: [] });
  },
);

const LONG_MS = 60_000;

/** Time as it is, but what takes long takes until it is released. */
function patientClock(): { clock: Clock; release(end: Promise<void>): Promise<void> } {
  const held: (() => void)[] = [];
  const after: Clock['after'] = (delayMs, run) => {
    if (delayMs < LONG_MS) return systemClock.after(delayMs, run);
    held.push(run);
    return () => {};
  };
  const release = async (end: Promise<void>): Promise<void> => {
    let ended = false;
    const ending = end.then(() => {
      ended = true;
    });
    for (let steps = 0; steps < 6_000 && !ended; steps += 1) {
      held.shift()?.();
      await sleep(5);
    }
    await ending;
  };
  return { clock: { now: systemClock.now, after }, release };
}

t.test('a sync that does not come to its end is told, and gone on with', async (t) => {
  const box = await startBox(t, { units: 2, syncDelayMs: 60_000 });
  const point = box.point({ syncTimeoutMs: 60 });
  t.equal(await codeOf(() => point.apply(policyA)), 'EDW_ERR_BIGIP_NOT_SYNCED');
  t.match(await point.inspect(), { revision: 1, drift: [], unfinished: [/\(Changes Pending\)$/] });
  t.equal(await codeOf(() => point.apply(policyA)), 'EDW_ERR_BIGIP_NOT_SYNCED', 'nobody wrote meanwhile: not foreign');
});

t.test('addresses that are no pair, or hold no active unit, are refused before anything is written', async (t) => {
  const pair = await startBox(t, { units: 2 });
  const [a, b] = pair.simulator.units.map(({ url }) => url);
  const standby = pair.point({ urls: [b ?? ''] });
  t.equal(await codeOf(() => standby.apply(policyA)), 'EDW_ERR_BIGIP_NO_ACTIVE', 'the standby alone');
  t.equal(await codeOf(() => standby.inspect()), 'EDW_ERR_BIGIP_NO_ACTIVE');
  const half = pair.point({ urls: [b ?? '', 'https://127.0.0.1:9'] });
  t.equal(await codeOf(() => half.apply(policyA)), 'EDW_ERR_POINT_UNREACHABLE', 'the active one may be there');
  const single = await startBox(t);
  const twice = single.point({ urls: [single.unit.url, single.unit.url] });
  t.equal(await codeOf(() => twice.apply(policyA)), 'EDW_ERR_BIGIP_NO_PAIR', 'a box of its own');
  t.strictSame([writesAt(pair, 0), writesAt(pair, 1), writesAt(single, 0)], [0, 0, 0]);
  const one = pair.point({ urls: [a ?? ''] });
  await one.apply(policyA);
  t.strictSame(
    [await revisionAt(pair, 0), await revisionAt(pair, 1)],
    ['1', '1'],
    'the active one alone is enough to sync',
  );
});
