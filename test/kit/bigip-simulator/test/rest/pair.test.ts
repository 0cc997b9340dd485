import t from 'tap';
import { createManualClock, type ManualClock } from '../../../../../runtime/test/fixtures/manual-clock.ts';
import type { SimulatorOptions } from '../../src/index.ts';
import { basic, type Response, type RestClient } from './rest-client.ts';
import { type Stage, setStage, statOf, unitOf } from './stage.ts';

const pools = '/mgmt/tm/ltm/pool';
const group = 'failover_group';

interface PairStage extends Stage {
  clock: ManualClock;
  /** Of the administrator at each unit. */
  a: RestClient;
  b: RestClient;
}

async function setPair(t: Parameters<typeof setStage>[0], options: SimulatorOptions = {}): Promise<PairStage> {
  const clock = createManualClock();
  const stage = await setStage(t, { units: 2, clock, syncDelayMs: 1_000, ...options });
  return { ...stage, clock, a: stage.admin, b: stage.client(basic('admin', 'admin'), 1) };
}

async function statusAt(client: RestClient): Promise<string> {
  const answer = await client.call('GET', '/mgmt/tm/cm/sync-status');
  return `${statOf(answer, 'color')} ${statOf(answer, 'status')}`;
}

async function rolesAt(client: RestClient): Promise<unknown> {
  const answer = await client.call('GET', '/mgmt/tm/cm/device?$select=name,failoverState,selfDevice');
  return answer.body.items;
}

async function rebooted(stage: PairStage, index: number): Promise<void> {
  const done = unitOf(stage.simulator, index).reboot();
  await stage.clock.advance(60_000);
  await done;
}

function sync(client: RestClient, utilCmdArgs = `config-sync to-group ${group}`): Promise<Response> {
  return client.call('POST', '/mgmt/tm/cm', { body: { command: 'run', utilCmdArgs } });
}

t.test('of a new pair the first is active, and both are in sync', async (t) => {
  const { a, b } = await setPair(t);
  t.strictSame(await rolesAt(a), [
    { name: 'bigip-a.example', failoverState: 'active', selfDevice: 'true' },
    { name: 'bigip-b.example', failoverState: 'standby', selfDevice: 'false' },
  ]);
  t.strictSame(await rolesAt(b), [
    { name: 'bigip-a.example', failoverState: 'active', selfDevice: 'false' },
    { name: 'bigip-b.example', failoverState: 'standby', selfDevice: 'true' },
  ]);
  t.equal(statOf(await a.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'ACTIVE');
  t.equal(statOf(await b.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'STANDBY');
  t.equal(await statusAt(a), 'green In Sync');
  t.equal(await statusAt(b), 'green In Sync');
  t.match((await a.call('GET', `/mgmt/tm/cm/device-group/~Common~${group}`)).body, {
    type: 'sync-failover',
    autoSync: 'disabled',
    incrementalConfigSyncSizeMax: 1024,
  });
});

t.test('a write is pending until a config-sync has had its time', async (t) => {
  const { a, b, clock } = await setPair(t);
  await a.call('POST', pools, { body: { name: 'p' } });
  const status = await b.call('GET', '/mgmt/tm/cm/sync-status');
  t.equal(await statusAt(a), 'yellow Changes Pending');
  t.match(status.text, ` - Recommended action: Synchronize bigip-a.example to group ${group}`);
  t.match(status.text, 'https://localhost/mgmt/tm/cm/syncStatus/0/details/2');
  const asked = await sync(a);
  t.strictSame(asked.body, { kind: 'tm:cm:runstate', command: 'run', utilCmdArgs: `config-sync to-group ${group}` });
  t.equal(await statusAt(a), 'yellow Changes Pending', 'the command only asks');
  t.equal((await b.call('GET', `${pools}/~Common~p`)).status, 404);
  await clock.advance(1_000);
  t.equal(await statusAt(a), 'green In Sync');
  t.equal(await statusAt(b), 'green In Sync');
  t.equal((await b.call('GET', `${pools}/~Common~p`)).status, 200);
});

t.test('what was written after the command is still pending after it', async (t) => {
  const { a, b, clock } = await setPair(t);
  await a.call('POST', pools, { body: { name: 'p' } });
  await sync(a);
  await a.call('POST', pools, { body: { name: 'q' } });
  await clock.advance(1_000);
  t.equal((await b.call('GET', `${pools}/~Common~p`)).status, 200);
  t.equal((await b.call('GET', `${pools}/~Common~q`)).status, 404);
  t.equal(await statusAt(a), 'yellow Changes Pending');
});

t.test('a write on the standby is possible, and pending from there', async (t) => {
  const { a, b, clock } = await setPair(t);
  await b.call('POST', pools, { body: { name: 'theirs' } });
  const status = await a.call('GET', '/mgmt/tm/cm/sync-status');
  t.match(status.text, `Synchronize bigip-b.example to group ${group}`);
  await sync(a, `config-sync from-group ${group}`);
  await clock.advance(1_000);
  t.equal((await a.call('GET', `${pools}/~Common~theirs`)).status, 200);
  t.equal(await statusAt(a), 'green In Sync');
});

t.test('writes on both are a conflict, and a sync overwrites the other side', async (t) => {
  const { a, b, clock } = await setPair(t);
  await a.call('POST', pools, { body: { name: 'ours' } });
  await b.call('POST', pools, { body: { name: 'theirs' } });
  t.equal(await statusAt(a), 'red Changes Pending');
  t.match(
    (await a.call('GET', '/mgmt/tm/cm/sync-status')).text,
    'There is a possible change conflict between bigip-a.example and bigip-b.example.',
  );
  await sync(a);
  await clock.advance(1_000);
  t.equal(await statusAt(b), 'green In Sync');
  t.equal((await b.call('GET', `${pools}/~Common~ours`)).status, 200);
  t.equal((await b.call('GET', `${pools}/~Common~theirs`)).status, 404);
});

t.test('a change larger than 1024 KB is a full load at the peer, a smaller one is not', async (t) => {
  const { a, b, clock } = await setPair(t);
  const stats = async (): Promise<string | undefined> =>
    statOf(await b.call('GET', `/mgmt/tm/cm/device-group/~Common~${group}/stats`), 'lastSyncType');
  const cases = [
    { records: 10, type: 'incremental-manual-sync' },
    { records: 30_000, type: 'full-load-manual-sync' },
    { records: 20, type: 'incremental-manual-sync' },
  ];
  for (const [index, { records, type }] of cases.entries()) {
    const list = Array.from({ length: records }, (_, number) => ({ name: `key-${number}`, data: 'x'.repeat(30) }));
    const made = await a.call('POST', '/mgmt/tm/ltm/data-group/internal', {
      body: { name: `g${index}`, type: 'string', records: list },
    });
    t.equal(made.status, 200);
    await sync(a);
    await clock.advance(1_000);
    const answer = (await b.call('GET', `/mgmt/tm/cm/device-group/~Common~${group}/stats`)).text;
    t.match(answer, `"lastSyncType":{"description":"${type}"}`, `${records} records`);
  }
  t.ok(await stats());
});

t.test('with autoSync every write arrives by itself', async (t) => {
  const { a, b, clock } = await setPair(t);
  await a.call('PATCH', `/mgmt/tm/cm/device-group/~Common~${group}`, { body: { autoSync: 'enabled' } });
  await clock.advance(1_000);
  t.equal(await statusAt(a), 'green In Sync');
  await a.call('POST', pools, { body: { name: 'p' } });
  t.equal(await statusAt(a), 'yellow Changes Pending');
  await clock.advance(1_000);
  t.equal(await statusAt(b), 'green In Sync');
  t.equal((await b.call('GET', `${pools}/~Common~p`)).status, 200);
});

t.test('a configuration may bring its own device group', async (t) => {
  const config = `cm device-group /Common/dg {
    auto-sync enabled
    devices {
        /Common/bigip-a.example { }
        /Common/bigip-b.example { }
    }
    type sync-failover
}
`;
  const { a, b, clock } = await setPair(t, { config });
  await a.call('POST', pools, { body: { name: 'p' } });
  await clock.advance(1_000);
  t.equal((await b.call('GET', `${pools}/~Common~p`)).status, 200);
  t.match((await a.call('GET', '/mgmt/tm/cm/sync-status')).text, 'dg (In Sync)');
});

t.test('a command that names no group of the unit is refused', async (t) => {
  const { a } = await setPair(t);
  t.match(await sync(a, 'config-sync to-group nowhere'), { status: 404, body: { message: /01020036:3: / } });
  for (const text of ['', 'config-sync', 'config-sync to-group', 'rm -rf /', `config-sync ${group}`]) {
    t.equal((await sync(a, text)).status, 400, text);
  }
});

t.test('after a failover the other is active; a sync under way arrives', async (t) => {
  const { a, b, clock, simulator } = await setPair(t);
  await a.call('POST', pools, { body: { name: 'p' } });
  await sync(a);
  await simulator.failover();
  t.equal(statOf(await a.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'STANDBY');
  t.equal(statOf(await b.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'ACTIVE');
  await clock.advance(1_000);
  t.equal((await b.call('GET', `${pools}/~Common~p`)).status, 200);
  const back = await b.call('POST', '/mgmt/tm/sys/failover', { body: { command: 'run', standby: true } });
  t.equal(back.status, 200);
  t.equal(statOf(await a.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'ACTIVE');
});

t.test('when the active unit reboots its peer takes over, and what was not saved is lost', async (t) => {
  const stage = await setPair(t, { rebootMs: 1_000 });
  const { a, b, clock } = stage;
  await a.call('POST', pools, { body: { name: 'synced' } });
  await sync(a);
  await clock.advance(1_000);
  await a.call('POST', pools, { body: { name: 'unsaved' } });
  const done = unitOf(stage.simulator, 0).reboot();
  t.equal(statOf(await b.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'ACTIVE');
  t.equal(await statusAt(b), 'red Disconnected');
  t.match(await rolesAt(b), [{ failoverState: 'offline' }, { failoverState: 'active' }]);
  await clock.advance(2_000);
  await done;
  t.equal(statOf(await a.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'STANDBY');
  t.equal((await a.call('GET', `${pools}/~Common~unsaved`)).status, 404);
  t.equal((await a.call('GET', `${pools}/~Common~synced`)).status, 404, 'a sync saves at the receiver alone');
  t.equal(await statusAt(b), 'yellow Changes Pending');
  t.match((await b.call('GET', '/mgmt/tm/cm/sync-status')).text, `Synchronize bigip-b.example to group ${group}`);
});

t.test('what a sync brought survives a reboot of the receiver', async (t) => {
  const stage = await setPair(t);
  await stage.a.call('POST', pools, { body: { name: 'p' } });
  await sync(stage.a);
  await stage.clock.advance(1_000);
  await rebooted(stage, 1);
  t.equal((await stage.b.call('GET', `${pools}/~Common~p`)).status, 200);
  t.equal(await statusAt(stage.b), 'green In Sync');
});

t.test('a sync that meets a unit which is down does nothing', async (t) => {
  const stage = await setPair(t, { rebootMs: 5_000 });
  const { a, clock } = stage;
  await a.call('POST', pools, { body: { name: 'p' } });
  await sync(a);
  const done = unitOf(stage.simulator, 1).reboot();
  await clock.advance(1_000);
  t.equal(await statusAt(a), 'red Disconnected');
  await clock.advance(20_000);
  await done;
  t.equal(await statusAt(a), 'yellow Changes Pending');
  t.equal((await stage.b.call('GET', `${pools}/~Common~p`)).status, 404);
});

t.test('failovers that are asked for at once follow one another', async (t) => {
  const { a, b, simulator } = await setPair(t);
  await Promise.all([simulator.failover(), simulator.failover(), simulator.failover()]);
  const roles = await Promise.all([a, b].map((client) => client.call('GET', '/mgmt/tm/cm/failover-status')));
  t.strictSame(
    roles.map((answer) => statOf(answer, 'status')),
    ['STANDBY', 'ACTIVE'],
  );
});
