import t from 'tap';
import type { SimulatedUser } from '../../src/index.ts';
import { basic, type CallOptions } from './rest-client.ts';
import { setStage } from './stage.ts';

const users: SimulatedUser[] = [
  { name: 'admin', password: 'admin', role: 'admin' },
  { name: 'resource', password: 'x', role: 'resource-admin' },
  { name: 'manager', password: 'x', role: 'manager', partitions: ['Edgeward'] },
  { name: 'guest', password: 'x', role: 'guest' },
];
const group = { name: 'g', type: 'string' };
const upload: CallOptions = { body: Buffer.from('x'), headers: { 'content-range': '0-0/1' } };

const cases: { name: string; method: string; path: string; options: CallOptions; may: string[]; status: number }[] = [
  {
    name: 'reads',
    method: 'GET',
    path: '/mgmt/tm/ltm/virtual/~Common~v',
    options: {},
    may: ['admin', 'resource', 'manager', 'guest'],
    status: 403,
  },
  {
    name: 'writes a group in the partition of the manager',
    method: 'POST',
    path: '/mgmt/tm/ltm/data-group/internal',
    options: { body: { ...group, partition: 'Edgeward' } },
    may: ['admin', 'resource', 'manager'],
    status: 403,
  },
  {
    name: 'writes a group in Common',
    method: 'POST',
    path: '/mgmt/tm/ltm/data-group/internal',
    options: { body: group },
    may: ['admin', 'resource'],
    status: 403,
  },
  {
    name: 'changes a virtual server in Common',
    method: 'PATCH',
    path: '/mgmt/tm/ltm/virtual/~Common~v',
    options: { body: { description: 'x' } },
    may: ['admin', 'resource'],
    status: 403,
  },
  {
    name: 'changes a log publisher',
    method: 'POST',
    path: '/mgmt/tm/sys/log-config/publisher',
    options: { body: { name: 'p', partition: 'Edgeward' } },
    may: ['admin', 'resource'],
    status: 403,
  },
  {
    name: 'makes a partition',
    method: 'POST',
    path: '/mgmt/tm/auth/partition',
    options: { body: { name: 'New' } },
    may: ['admin', 'resource'],
    status: 403,
  },
  {
    name: 'saves',
    method: 'POST',
    path: '/mgmt/tm/sys/config',
    options: { body: { command: 'save' } },
    may: ['admin', 'resource', 'manager'],
    status: 403,
  },
  {
    name: 'starts a task',
    method: 'POST',
    path: '/mgmt/tm/task/sys/config',
    options: { body: { command: 'load' } },
    may: ['admin', 'resource'],
    status: 403,
  },
  {
    name: 'uploads',
    method: 'POST',
    path: '/mgmt/shared/file-transfer/uploads/f',
    options: upload,
    may: ['admin'],
    status: 401,
  },
];

t.test('each role does what it may and is refused the rest', async (t) => {
  for (const { name, method, path, options, may, status } of cases) {
    for (const user of users) {
      const stage = await setStage(t, { users, config: 'auth partition Edgeward { }\n' });
      const made = await stage.admin.call('POST', '/mgmt/tm/ltm/virtual', {
        body: { name: 'v', destination: '127.0.0.1:80' },
      });
      t.equal(made.status, 200, made.text);
      const answer = await stage.client(basic(user.name, user.password)).call(method, path, options);
      t.equal(answer.status, may.includes(user.name) ? 200 : status, `${user.name} ${name}: ${answer.text}`);
      await stage.simulator.close();
    }
  }
});

t.test('a refusal of mcpd and one of restjavad look different', async (t) => {
  const { client } = await setStage(t, { users });
  const guest = client(basic('guest', 'x'));
  const box = await guest.call('POST', '/mgmt/tm/ltm/pool', { body: { name: 'p' } });
  t.match(box.body, { code: 403, message: /^01070822:3: Access Denied: /, errorStack: [], apiError: 3 });
  const framework = await guest.call('POST', '/mgmt/shared/file-transfer/uploads/f', upload);
  const path = '/mgmt/shared/file-transfer/uploads/f';
  t.match(framework.body, { code: 401, kind: ':resterrorresponse' });
  t.equal(
    framework.body.message,
    `Authorization failed: user=https://localhost/mgmt/shared/authz/users/guest resource=${path} verb=POST ` +
      `uri:http://localhost:8100${path} referrer:127.0.0.1 sender:127.0.0.1`,
  );
});

t.test('what a user may not write does not get into a transaction either', async (t) => {
  const { client } = await setStage(t, { users });
  const guest = client(basic('guest', 'x'));
  const { transId } = (await guest.call('POST', '/mgmt/tm/transaction', { body: {} })).body;
  const headers = { 'x-f5-rest-coordination-id': String(transId) };
  t.equal((await guest.call('POST', '/mgmt/tm/ltm/pool', { body: { name: 'p' }, headers })).status, 403);
});
