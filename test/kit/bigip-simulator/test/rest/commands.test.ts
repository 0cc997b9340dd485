import t from 'tap';
import { createManualClock } from '../../../../../runtime/test/fixtures/manual-clock.ts';
import type { Response, RestClient } from './rest-client.ts';
import { setStage, statOf, unitOf } from './stage.ts';

const pools = '/mgmt/tm/ltm/pool';
const sysConfig = '/mgmt/tm/sys/config';

async function put(client: RestClient, name: string, text: string): Promise<Response> {
  const body = Buffer.from(text);
  const headers = { 'content-range': `0-${body.length - 1}/${body.length}` };
  return client.call('POST', `/mgmt/shared/file-transfer/uploads/${name}`, { body, headers });
}

t.test('a unit says its version in every place where tools look for it', async (t) => {
  for (const version of ['13.1.3', '17.1.2'] as const) {
    const { admin } = await setStage(t, { version });
    t.equal(statOf(await admin.call('GET', '/mgmt/tm/sys/version'), 'Version'), version);
    t.equal(statOf(await admin.call('GET', '/mgmt/tm/cli/version'), 'active'), version);
    const info = await admin.call('GET', '/mgmt/shared/identified-devices/config/device-info');
    t.match(info.body, { version, product: 'BIG-IP', hostname: 'bigip-a.example' });
    t.match((await admin.call('GET', pools)).body.selfLink, `?ver=${version}`);
  }
});

t.test('a unit that is ready says so', async (t) => {
  const { admin } = await setStage(t);
  const answer = await admin.call('GET', '/mgmt/tm/sys/ready');
  t.equal(answer.body.kind, 'tm:sys:ready:readystats');
  for (const name of ['configReady', 'licenseReady', 'provisionReady']) t.equal(statOf(answer, name), 'yes');
});

t.test('a unit alone is active and standalone', async (t) => {
  const { admin } = await setStage(t);
  t.equal(statOf(await admin.call('GET', '/mgmt/tm/cm/failover-status'), 'status'), 'ACTIVE');
  const sync = await admin.call('GET', '/mgmt/tm/cm/sync-status');
  t.equal(statOf(sync, 'status'), 'Standalone');
  t.equal(statOf(sync, 'color'), 'green');
  t.match((await admin.call('GET', '/mgmt/tm/cm/device')).body, {
    items: [{ failoverState: 'active', selfDevice: 'true' }],
  });
  t.notOk('items' in (await admin.call('GET', '/mgmt/tm/cm/device-group')).body);
});

t.test('a save and a load answer with what was asked for; a load brings back what was saved', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', pools, { body: { name: 'saved' } });
  const saved = await admin.call('POST', sysConfig, { body: { command: 'save' } });
  t.strictSame(saved.body, { kind: 'tm:sys:config:savestate', command: 'save' });
  await admin.call('POST', pools, { body: { name: 'unsaved' } });
  const loaded = await admin.call('POST', sysConfig, { body: { command: 'load' } });
  t.match(loaded, { status: 200, body: { kind: 'tm:sys:config:loadstate' } });
  t.equal((await admin.call('GET', `${pools}/~Common~saved`)).status, 200);
  t.equal((await admin.call('GET', `${pools}/~Common~unsaved`)).status, 404);
  t.equal((await admin.call('POST', sysConfig, { body: { command: 'dance' } })).status, 400);
});

t.test('a save of one partition leaves what is not saved elsewhere unsaved', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', '/mgmt/tm/auth/partition', { body: { name: 'Ours' } });
  await admin.call('POST', sysConfig, { body: { command: 'save' } });
  await admin.call('POST', pools, { body: { name: 'theirs' } });
  await admin.call('POST', pools, { body: { name: 'ours', partition: 'Ours' } });
  const save = (partitions: string): Promise<Response> =>
    admin.call('POST', sysConfig, { body: { command: 'save', options: [{ partitions }] } });
  t.equal((await save('{ Nobodys }')).status, 400);
  t.equal((await save('{ Ours }')).status, 200);
  await admin.call('POST', sysConfig, { body: { command: 'load' } });
  t.equal((await admin.call('GET', `${pools}/~Ours~ours`)).status, 200);
  t.equal((await admin.call('GET', `${pools}/~Common~theirs`)).status, 404);
});

t.test('a file is merged, or only verified', async (t) => {
  const { admin, simulator } = await setStage(t);
  await put(
    admin,
    'm.conf',
    'ltm pool /Common/merged {\n    members {\n        /Common/127.0.0.1:80 {\n            address 127.0.0.1\n        }\n    }\n}\n',
  );
  const options = [{ file: '/var/config/rest/downloads/m.conf' }, { merge: true }];
  const load = (more: object[] = []): Promise<Response> =>
    admin.call('POST', sysConfig, { body: { command: 'load', options: [...options, ...more] } });
  const verified = await load([{ verify: true }]);
  t.equal(verified.status, 200, verified.text);
  t.equal((await admin.call('GET', `${pools}/~Common~merged`)).status, 404);
  t.equal((await load()).status, 200);
  t.match((await admin.call('GET', `${pools}/~Common~merged/members`)).body, { items: [{ name: '127.0.0.1:80' }] });
  t.match(unitOf(simulator, 0).configText(), 'ltm pool /Common/merged {');
});

t.test('a merge that is wrong anywhere changes nothing', async (t) => {
  const { admin } = await setStage(t);
  await put(
    admin,
    'm.conf',
    'ltm pool /Common/one { }\nltm virtual /Common/v {\n    destination 127.0.0.1:80\n    pool /Common/nowhere\n}\n',
  );
  const options = [{ file: '/var/config/rest/downloads/m.conf' }, { merge: true }];
  const answer = await admin.call('POST', sysConfig, { body: { command: 'load', options } });
  t.ok(answer.status >= 400, answer.text);
  t.equal((await admin.call('GET', `${pools}/~Common~one`)).status, 404);
  const missing = [{ file: '/var/config/rest/downloads/nowhere.conf' }, { merge: true }];
  t.equal((await admin.call('POST', sysConfig, { body: { command: 'load', options: missing } })).status, 400);
});

t.test('a task runs by itself, and while it runs the box takes no write', async (t) => {
  const clock = createManualClock();
  const { admin, simulator } = await setStage(t, { clock, syncDelayMs: 5_000 });
  await admin.call('POST', pools, { body: { name: 'p' } });
  const made = await admin.call('POST', '/mgmt/tm/task/sys/config', { body: { command: 'save' } });
  t.match(made.body, { _taskState: 'STARTED', command: 'save' });
  const path = `/mgmt/tm/task/sys/config/${made.body._taskId}`;
  t.equal((await admin.call('GET', `${path}/result`)).status, 400, 'there is no result yet');
  const started = await admin.call('PUT', path, { body: { _taskState: 'VALIDATING' } });
  t.match(started, { status: 202, body: { message: 'Task will execute asynchronously.' } });
  const busy = {
    code: 503,
    message: 'There is an active asynchronous task executing.',
    errorStack: [],
    apiError: 32964609,
  };
  t.strictSame((await admin.call('POST', pools, { body: { name: 'q' } })).body, busy);
  t.strictSame((await admin.call('POST', sysConfig, { body: { command: 'save' } })).body, busy);
  t.equal((await admin.call('GET', pools)).status, 200, 'reading goes on');
  t.match((await admin.call('GET', path)).body, { _taskState: 'VALIDATING' });
  await clock.advance(5_000);
  t.match((await admin.call('GET', path)).body, { _taskState: 'COMPLETED' });
  t.equal((await admin.call('GET', `${path}/result`)).status, 200);
  t.equal((await admin.call('POST', pools, { body: { name: 'q' } })).status, 200);
  t.equal((await admin.call('DELETE', path)).status, 200);
  t.equal((await admin.call('GET', path)).status, 404);
  const rebooted = unitOf(simulator, 0).reboot();
  await clock.advance(1_000);
  await rebooted;
  t.equal((await admin.call('GET', `${pools}/~Common~p`)).status, 200, 'what the task saved');
  t.equal((await admin.call('GET', `${pools}/~Common~q`)).status, 404, 'what nobody saved');
});

t.test('a task that fails says why', async (t) => {
  const clock = createManualClock();
  const { admin } = await setStage(t, { clock });
  const options = [{ file: '/var/config/rest/downloads/nowhere' }, { merge: true }];
  const body = { command: 'load', options };
  const { _taskId } = (await admin.call('POST', '/mgmt/tm/task/sys/config', { body })).body;
  const path = `/mgmt/tm/task/sys/config/${_taskId}`;
  await admin.call('PUT', path, { body: { _taskState: 'VALIDATING' } });
  await clock.advance(1_000);
  t.match((await admin.call('GET', path)).body, { _taskState: 'FAILED' });
  t.match((await admin.call('GET', `${path}/result`)).body.message, 'nowhere');
});
