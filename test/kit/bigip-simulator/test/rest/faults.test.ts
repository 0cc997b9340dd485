import t from 'tap';
import type { FaultKind } from '../../src/index.ts';
import { basic, createRestClient } from './rest-client.ts';
import { setStage, unitOf } from './stage.ts';

const pools = '/mgmt/tm/ltm/pool';

const faults: { kind: FaultKind; status: number | 'cut'; applied: boolean; text?: string }[] = [
  { kind: 'reset', status: 'cut', applied: false },
  { kind: 'reset-after', status: 'cut', applied: true },
  { kind: 'timeout-500', status: 500, applied: true, text: 'AsyncContext timeout' },
  {
    kind: 'busy-503',
    status: 503,
    applied: false,
    text: '{"code":503,"message":"There is an active asynchronous task executing.","errorStack":[],"apiError":32964609}',
  },
  { kind: 'restarting-503', status: 503, applied: false, text: 'Configuration Utility restarting...' },
  { kind: 'uri-404', status: 404, applied: false, text: 'Public URI path not registered: /tm/ltm/pool' },
];

for (const { kind, status, applied, text } of faults) {
  t.test(`${kind}: the write ${applied ? 'took effect' : 'had no effect'}, whatever the client saw`, async (t) => {
    const { admin, simulator } = await setStage(t);
    const unit = unitOf(simulator, 0);
    unit.inject({ kind });
    const call = admin.call('POST', pools, { body: { name: 'p' } });
    if (status === 'cut') await t.rejects(call, { code: 'ECONNRESET' });
    else {
      const answer = await call;
      t.equal(answer.status, status);
      t.match(answer.text, text ?? '');
      const isPage = kind === 'timeout-500' || kind === 'restarting-503';
      t.match(answer.headers['content-type'], isPage ? 'text/html' : 'application/json');
    }
    t.equal(unit.calls().at(-1)?.status, status === 'cut' ? 0 : status);
    t.equal((await admin.call('GET', `${pools}/~Common~p`)).status, applied ? 200 : 404, 'it struck once');
  });
}

t.test('hang: the write took effect and nobody answers', async (t) => {
  const { admin, simulator } = await setStage(t);
  const unit = unitOf(simulator, 0);
  unit.inject({ kind: 'hang' });
  const impatient = createRestClient(unit.url, simulator.ca, basic('admin', 'admin'));
  const call = impatient.call('POST', pools, { body: { name: 'p' } });
  call.catch(() => {});
  let status = 404;
  for (let tries = 0; tries < 200 && status === 404; tries += 1) {
    status = (await admin.call('GET', `${pools}/~Common~p`)).status;
  }
  t.equal(status, 200);
  impatient.close();
  await t.rejects(call);
});

t.test('expired-401: the token is gone, and a new login helps', async (t) => {
  const stage = await setStage(t);
  const client = await stage.login('admin', 'admin');
  unitOf(stage.simulator, 0).inject({ kind: 'expired-401', path: '/mgmt/tm' });
  for (let count = 0; count < 2; count += 1) {
    const answer = await client.call('POST', pools, { body: { name: 'p' } });
    t.equal(answer.status, 401);
    t.equal(answer.body.message, 'X-F5-Auth-Token has expired.');
  }
  const again = await stage.login('admin', 'admin');
  t.equal((await again.call('POST', pools, { body: { name: 'p' } })).status, 200);
});

t.test('a fault waits for the call it was made for, and strikes as often as it was told', async (t) => {
  const { admin, simulator } = await setStage(t);
  unitOf(simulator, 0).inject({ kind: 'busy-503', method: 'POST', path: '/ltm/pool', after: 1, times: 2 });
  const statuses: number[] = [];
  for (const name of ['a', 'b', 'c', 'd']) {
    statuses.push((await admin.call('GET', pools)).status);
    statuses.push(
      (await admin.call('POST', '/mgmt/tm/ltm/node', { body: { name, address: `127.0.1.${name.charCodeAt(0)}` } }))
        .status,
    );
    statuses.push((await admin.call('POST', pools, { body: { name } })).status);
  }
  t.strictSame(statuses, [200, 200, 200, 200, 200, 503, 200, 200, 503, 200, 200, 200]);
});

t.test('faults that wait for the same call strike one after the other', async (t) => {
  const { admin, simulator } = await setStage(t);
  const unit = unitOf(simulator, 0);
  unit.inject({ kind: 'busy-503' });
  unit.inject({ kind: 'uri-404' });
  const statuses: number[] = [];
  for (let count = 0; count < 3; count += 1) statuses.push((await admin.call('GET', pools)).status);
  t.strictSame(statuses, [503, 404, 200]);
});

t.test('a fault at one unit of a pair is none of the other', async (t) => {
  const { admin, client, simulator } = await setStage(t, { units: 2 });
  unitOf(simulator, 1).inject({ kind: 'restarting-503' });
  t.equal((await admin.call('GET', pools)).status, 200);
  t.equal((await client(basic('admin', 'admin'), 1).call('GET', pools)).status, 503);
});
