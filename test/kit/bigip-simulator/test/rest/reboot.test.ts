import t from 'tap';
import { createManualClock } from '../../../../../runtime/test/fixtures/manual-clock.ts';
import { basic } from './rest-client.ts';
import { setStage, unitOf } from './stage.ts';

const pools = '/mgmt/tm/ltm/pool';

t.test(
  'a unit that reboots answers with a page, then knows no path, then comes back with what was saved',
  async (t) => {
    const clock = createManualClock();
    const stage = await setStage(t, { clock, rebootMs: 10_000 });
    const { admin, simulator } = stage;
    const byToken = await stage.login('admin', 'admin');
    await admin.call('POST', pools, { body: { name: 'saved' } });
    await admin.call('POST', '/mgmt/tm/sys/config', { body: { command: 'save' } });
    await admin.call('POST', pools, { body: { name: 'unsaved' } });
    const { transId } = (await admin.call('POST', '/mgmt/tm/transaction', { body: {} })).body;
    const done = unitOf(simulator, 0).reboot();
    t.equal(unitOf(simulator, 0).reboot(), done, 'a second one joins the first');

    await clock.advance(1_000);
    const fresh = stage.client(basic('admin', 'admin')); // connections of before are cut
    const first = await fresh.call('GET', pools);
    t.equal(first.status, 503);
    t.match(first.headers['content-type'], 'text/html');
    t.match(first.text, 'Configuration Utility restarting...');
    const login = { body: { username: 'admin', password: 'admin' } };
    t.equal((await fresh.call('POST', '/mgmt/shared/authn/login', login)).status, 503, 'the login too');

    await clock.advance(10_000);
    const second = await fresh.call('GET', pools);
    t.equal(second.status, 404);
    t.equal(second.body.message, 'Public URI path not registered: /tm/ltm/pool');

    await clock.advance(10_000);
    await done;
    t.equal((await fresh.call('GET', `${pools}/~Common~saved`)).status, 200);
    t.equal((await fresh.call('GET', `${pools}/~Common~unsaved`)).status, 404);
    t.equal((await fresh.call('GET', `/mgmt/tm/transaction/${transId}`)).status, 404, 'transactions are gone');
    t.equal((await byToken.call('GET', pools)).body.message, 'X-F5-Auth-Token does not exist.', 'tokens are gone');
  },
);

t.test('uploaded files survive a reboot; what had not arrived whole does not', async (t) => {
  const clock = createManualClock();
  const { admin, simulator, client } = await setStage(t, { clock });
  const send = (file: string, range: string): Promise<unknown> =>
    admin.call('POST', `/mgmt/shared/file-transfer/uploads/${file}`, {
      body: 'ab',
      headers: { 'content-range': range },
    });
  await send('whole', '0-1/2');
  await send('half', '0-1/4');
  const done = unitOf(simulator, 0).reboot();
  await clock.advance(10_000);
  await done;
  const after = client(basic('admin', 'admin'));
  const rest = await after.call('POST', '/mgmt/shared/file-transfer/uploads/half', {
    body: 'cd',
    headers: { 'content-range': '2-3/4' },
  });
  t.equal(rest.status, 400);
  const removed = await after.call('POST', '/mgmt/tm/util/unix-rm', {
    body: { command: 'run', utilCmdArgs: '/var/config/rest/downloads/whole' },
  });
  t.notOk('commandResult' in removed.body);
});
