import t from 'tap';
import { createManualClock } from '../../../../../runtime/test/fixtures/manual-clock.ts';
import type { CallOptions, Response, RestClient } from './rest-client.ts';
import { setStage } from './stage.ts';

const groups = '/mgmt/tm/ltm/data-group/internal';
const pools = '/mgmt/tm/ltm/pool';

interface Opened {
  path: string;
  add(method: string, path: string, body?: unknown): Promise<Response>;
  commit(options?: CallOptions): Promise<Response>;
}

async function open(client: RestClient, body: unknown = {}): Promise<Opened> {
  const { transId } = (await client.call('POST', '/mgmt/tm/transaction', { body })).body;
  const path = `/mgmt/tm/transaction/${transId}`;
  const headers = { 'x-f5-rest-coordination-id': String(transId) };
  return {
    path,
    add: (method, target, content) =>
      client.call(method, target, { headers, ...(content === undefined ? {} : { body: content }) }),
    commit: (options) => client.call('PATCH', path, { body: { state: 'VALIDATING' }, ...options }),
  };
}

t.test('a new transaction has the shape that was recorded', async (t) => {
  const { admin } = await setStage(t);
  const { body } = await admin.call('POST', '/mgmt/tm/transaction', { body: {} });
  const { transId, selfLink, ...rest } = body;
  t.type(transId, 'number');
  t.equal(selfLink, `https://localhost/mgmt/tm/transaction/${transId}?ver=17.1.2`);
  t.strictSame(rest, {
    state: 'STARTED',
    timeoutSeconds: 120,
    asyncExecution: false,
    validateOnly: false,
    executionTimeout: 300,
    executionTime: 0,
    failureReason: '',
    kind: 'tm:transactionstate',
  });
});

t.test('a command waits, invisible, and is answered with what it has become', async (t) => {
  const { admin } = await setStage(t);
  const transaction = await open(admin);
  const command = await transaction.add('POST', pools, { name: 'p' });
  t.equal(command.status, 200);
  t.match(command.body, {
    method: 'POST',
    uri: `https://localhost${pools}`,
    body: { name: 'p' },
    evalOrder: 1,
    commandId: 1,
    kind: 'tm:transaction:commandsstate',
  });
  t.equal((await transaction.add('GET', `${pools}/~Common~p`)).status, 404, 'also for a reader inside');
  t.match((await admin.call('GET', `${transaction.path}/commands`)).body, { items: [{ commandId: 1 }] });
  const done = await transaction.commit();
  t.match(done, { status: 200, body: { state: 'COMPLETED', failureReason: '' } });
  t.equal((await admin.call('GET', `${pools}/~Common~p`)).status, 200);
});

t.test('all commands take effect or none', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', groups, { body: { name: 'map', type: 'string', records: [{ name: 'a', data: '1' }] } });
  const transaction = await open(admin);
  await transaction.add('PATCH', `${groups}/~Common~map`, { records: [{ name: 'a', data: '2' }] });
  await transaction.add('POST', groups, { name: 'new', type: 'ip' });
  await transaction.add('DELETE', `${groups}/~Common~missing`);
  const failed = await transaction.commit();
  t.match(failed, {
    status: 404,
    body: {
      message: 'transaction failed:01020036:3: The requested value list (/Common/missing) was not found.',
      apiError: 2,
    },
  });
  t.match((await admin.call('GET', transaction.path)).body, { state: 'FAILED', failureReason: /^01020036:3: / });
  t.match((await admin.call('GET', `${groups}/~Common~map`)).body, { records: [{ data: '1' }] });
  t.equal((await admin.call('GET', `${groups}/~Common~new`)).status, 404);
  t.equal((await transaction.commit()).status, 400, 'it is over');
  t.equal((await transaction.add('POST', pools, { name: 'q' })).status, 400, 'nothing can be added any more');
});

t.test('with validateOnly nothing takes effect, and what would be refused is refused', async (t) => {
  const { admin } = await setStage(t);
  const good = await open(admin, { validateOnly: true });
  await good.add('POST', pools, { name: 'p' });
  t.match(await good.commit(), { status: 200, body: { state: 'COMPLETED', validateOnly: true } });
  t.equal((await admin.call('GET', `${pools}/~Common~p`)).status, 404);
  const late = await open(admin);
  await late.add('POST', pools, { name: 'p', partition: 'Nowhere' });
  const refused = await late.commit({ body: { state: 'VALIDATING', validateOnly: true } });
  t.match(refused, { status: 404, body: { message: /^transaction failed:01020036:3: / } });
});

t.test('a transaction without commands can not be committed', async (t) => {
  const { admin } = await setStage(t);
  const transaction = await open(admin);
  t.match(await transaction.commit(), {
    status: 404,
    body: { message: 'there is no command to commit in the transaction.', apiError: 1 },
  });
});

t.test('after its 120 seconds a transaction is gone', async (t) => {
  const clock = createManualClock();
  const { admin } = await setStage(t, { clock });
  const transaction = await open(admin);
  await transaction.add('POST', pools, { name: 'p' });
  await clock.advance(119_000);
  t.equal((await admin.call('GET', transaction.path)).status, 200);
  await clock.advance(2_000);
  t.equal((await transaction.commit()).status, 404);
  t.equal((await transaction.add('POST', pools, { name: 'q' })).status, 404);
  t.equal((await admin.call('GET', `${pools}/~Common~p`)).status, 404);
});

t.test('a transaction is not committed inside itself, nor into a state that is none', async (t) => {
  const { admin } = await setStage(t);
  const transaction = await open(admin);
  await transaction.add('POST', pools, { name: 'p' });
  t.equal((await transaction.add('PATCH', transaction.path, { state: 'VALIDATING' })).status, 400);
  t.equal((await transaction.commit({ body: { state: 'COMPLETED' } })).status, 400);
  t.equal((await admin.call('GET', transaction.path)).body.state, 'STARTED');
});

t.test('commands are read, reordered, taken back; a transaction is given up', async (t) => {
  const { admin } = await setStage(t);
  const transaction = await open(admin);
  await transaction.add('DELETE', `${pools}/~Common~p`);
  await transaction.add('POST', pools, { name: 'q' });
  await transaction.add('POST', pools, { name: 'p' });
  t.equal((await admin.call('GET', `${transaction.path}/commands/9`)).body.message, 'Found invalid command id 9.');
  await admin.call('DELETE', `${transaction.path}/commands/1`);
  await admin.call('PATCH', `${transaction.path}/commands/3`, { body: { evalOrder: 0 } });
  t.equal((await transaction.commit()).status, 200);
  t.match((await admin.call('GET', pools)).body, { items: [{ name: 'p' }, { name: 'q' }] });
  const given = await open(admin);
  await given.add('POST', pools, { name: 'r' });
  t.equal((await admin.call('DELETE', given.path)).status, 200);
  t.equal((await given.commit()).status, 404);
});

t.test('members of one pool that are added in one transaction are all there', async (t) => {
  const { admin } = await setStage(t);
  const transaction = await open(admin);
  await transaction.add('POST', pools, { name: 'p', members: [{ name: '127.0.0.1:80' }] });
  await transaction.add('POST', `${pools}/~Common~p/members`, { name: '127.0.0.2:80' });
  await transaction.add('POST', `${pools}/~Common~p/members`, { name: '127.0.0.3:80' });
  t.match(await transaction.commit(), { status: 200 });
  t.match((await admin.call('GET', `${pools}/~Common~p/members`)).body, { items: { length: 3 } });
});

t.test('an object is not removed and created in one transaction', async (t) => {
  const { admin } = await setStage(t);
  await admin.call('POST', pools, { body: { name: 'p' } });
  const transaction = await open(admin);
  await transaction.add('DELETE', `${pools}/~Common~p`);
  await transaction.add('POST', pools, { name: 'p' });
  t.match(await transaction.commit(), { status: 400, body: { message: /delete and create of the same object/ } });
});

t.test('one that runs by itself tells whoever asks how it went', async (t) => {
  const clock = createManualClock();
  const { admin } = await setStage(t, { clock });
  const cases = [
    { name: 'p', state: 'COMPLETED' },
    { name: 'p', state: 'FAILED' },
  ];
  for (const { name, state } of cases) {
    const transaction = await open(admin, { asyncExecution: true });
    await transaction.add('POST', pools, { name });
    t.match(await transaction.commit(), { status: 200, body: { state: 'VALIDATING' } });
    await clock.advance(1);
    t.match((await admin.call('GET', transaction.path)).body, { state });
  }
});

t.test('there is an end to how many may be open', async (t) => {
  const { admin } = await setStage(t);
  for (let count = 0; count < 100; count += 1) await open(admin);
  t.equal((await admin.call('POST', '/mgmt/tm/transaction', { body: {} })).status, 503);
});
