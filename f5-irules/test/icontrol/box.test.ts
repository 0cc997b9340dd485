/** The client against a simulated BIG-IP: what it does when all goes well, and what it leaves behind when it does not. */
import type { SimulatedUnit } from '@edgeward/bigip-simulator';
import t from 'tap';
import { type Icontrol, objectPath, recordOf } from '../../driver/icontrol/index.ts';
import { startBox } from './fixtures/simulated.ts';
import { uploaded } from './fixtures/uploaded.ts';

const GROUPS = 'tm/ltm/data-group/internal';
const pathOf = (name: string): string => objectPath(GROUPS, `/Edgeward/${name}`);
const group = (name: string) => ({
  name,
  partition: 'Edgeward',
  type: 'ip',
  records: [{ name: '2A02:0::', data: 'b' }, { name: '10.0.0.2', data: 'a' }, { name: '10.0.0.0/24' }],
});

t.test('objects are made, read, changed and removed', async (t) => {
  for (const version of ['17.1.2', '13.1.3'] as const) {
    const { client } = await startBox(t, { version });
    const box = client();
    t.equal(await box.get(pathOf('g')), null);
    t.match(await box.create(GROUPS, group('g')), { fullPath: '/Edgeward/g' });
    t.equal(await box.version(), version);
    await t.rejects(box.create(GROUPS, group('g')), { code: 'EDW_ERR_BIGIP_EXISTS', message: /01020066:3:/ });
    await box.modify(pathOf('g'), { records: [{ name: '10.0.0.9', data: 'z' }] });
    t.match(await box.get(pathOf('g')), { records: [{ name: '10.0.0.9/32', data: 'z' }] });
    t.match(await box.list(GROUPS, { $filter: 'partition eq Edgeward' }), [{ name: 'g' }]);
    t.equal(await box.remove(pathOf('g')), true);
    t.equal(await box.remove(pathOf('g')), false);
    await t.rejects(box.modify(pathOf('g'), { records: [] }), {
      code: 'EDW_ERR_BIGIP_NOT_FOUND',
      message: /01020036:3:/,
    });
    await t.rejects(box.create(GROUPS, { ...group('g'), partition: 'Nowhere' }), { code: /^EDW_ERR_BIGIP_/ });
  }
});

t.test('what is in use is not removed, and the error says so', async (t) => {
  const { client } = await startBox(t);
  const box = client();
  await box.create('tm/ltm/rule', { name: 'r', partition: 'Edgeward', apiAnonymous: 'when CLIENT_ACCEPTED { }' });
  await box.create('tm/ltm/virtual', {
    name: 'v',
    partition: 'Edgeward',
    destination: '10.0.0.1:443',
    rules: ['/Edgeward/r'],
  });
  await t.rejects(box.remove('tm/ltm/rule/~Edgeward~r'), { code: 'EDW_ERR_BIGIP_IN_USE', message: /01070265:3:/ });
});

t.test('nothing is written twice, and every write is counted', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  await box.get(pathOf('g'));
  t.strictSame(box.sent(), { writes: 0, bytes: 0 }, 'logins and reads are no writes');
  await box.create(GROUPS, group('g'));
  await box.remove(pathOf('g'));
  const bytes = Buffer.byteLength(JSON.stringify(group('g')));
  t.strictSame(box.sent(), { writes: 2, bytes });
  const writes = unit.calls().filter(({ method, path }) => method !== 'GET' && path.includes('/tm/'));
  t.equal(
    writes.reduce((sum, call) => sum + call.bytes, 0),
    bytes,
    'as the box counts them',
  );
});

type Operation = 'create' | 'modify' | 'remove';

/** A write from a state in which it has something to do. */
const operations: Record<
  Operation,
  { method: string; before: boolean; run(box: Icontrol): Promise<unknown>; made: object | null }
> = {
  create: {
    method: 'POST',
    before: false,
    run: (box) => box.create(GROUPS, group('g')),
    made: { name: 'g', type: 'ip' },
  },
  modify: {
    method: 'PATCH',
    before: true,
    run: (box) => box.modify(pathOf('g'), { records: [{ name: '::1', data: 'new' }] }),
    made: { records: [{ name: '::1/128', data: 'new' }] },
  },
  remove: { method: 'DELETE', before: true, run: (box) => box.remove(pathOf('g')), made: null },
};

t.test('a write that took effect is done, whatever became of its answer', async (t) => {
  for (const kind of ['reset-after', 'timeout-500', 'hang'] as const) {
    for (const [name, { method, before, run, made }] of Object.entries(operations)) {
      const { client, unit, lines, log } = await startBox(t);
      const box = client({ timeoutMs: kind === 'hang' ? 300 : 5000 });
      if (before) await box.create(GROUPS, group('g'));
      const from = unit.calls().length;
      unit.inject({ kind, method, path: '/tm/ltm/data-group' });
      t.ok(await run(box), `${name}, ${kind}`);
      const found = await box.get(pathOf('g'));
      if (made === null) t.equal(found, null, `${name}, ${kind}`);
      else t.match(found, made, `${name}, ${kind}`);
      t.equal(sentOf(lines(from), method), 1, `${name}, ${kind}: sent once`);
      t.match(log(), '"event":"bigip_read_back"', `${name}, ${kind}: recorded`);
      await box.close();
    }
  }
});

t.test('a write that had no effect is an error that says so, and nothing is there', async (t) => {
  for (const [kind, code] of [
    ['reset', 'EDW_ERR_POINT_UNREACHABLE'],
    ['restarting-503', 'EDW_ERR_POINT_UNREACHABLE'],
    ['uri-404', 'EDW_ERR_POINT_UNREACHABLE'],
  ] as const) {
    for (const [name, { method, before, run }] of Object.entries(operations)) {
      const { client, unit, lines } = await startBox(t);
      const box = client();
      if (before) await box.create(GROUPS, group('g'));
      const untouched = await box.get(pathOf('g'));
      const from = unit.calls().length;
      unit.inject({ kind, method, path: '/tm/ltm/data-group' });
      await t.rejects(run(box), { code, mend: /./ }, `${name}, ${kind}`);
      t.strictSame(await box.get(pathOf('g')), untouched, `${name}, ${kind}`);
      t.equal(sentOf(lines(from), method), 1, `${name}, ${kind}: sent once`);
      t.ok(await run(box), `${name}, ${kind}: and then it goes`);
      await box.close();
    }
  }
});

t.test('a write that another box state hides is not taken for done', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  await box.create(GROUPS, { ...group('g'), records: [{ name: '10.0.0.1', data: 'old' }] });
  unit.inject({ kind: 'reset', method: 'POST', path: '/tm/ltm/data-group' });
  await t.rejects(
    box.create(GROUPS, group('g')),
    { code: 'EDW_ERR_POINT_UNREACHABLE', message: /read back/ },
    'other records',
  );
  unit.inject({ kind: 'reset', method: 'DELETE' });
  await t.rejects(box.remove(pathOf('g')), { code: 'EDW_ERR_POINT_UNREACHABLE' }, 'it is there still');
  await box.create('tm/sys/file/data-group', await uploaded(box, 'f', 'x')).catch(() => {});
  unit.inject({ kind: 'reset', method: 'PATCH' });
  const touch = box.modify('tm/sys/file/data-group/~Edgeward~f', { sourcePath: 'file:/var/config/rest/downloads/f' });
  await t.rejects(touch, { code: 'EDW_ERR_POINT_UNREACHABLE' }, 'the same words before and after tell nothing');
});

t.test('a write that can not be read back says that too', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  await box.get(pathOf('g'));
  unit.inject({ kind: 'reset-after', method: 'POST', path: '/tm/ltm/data-group' });
  unit.inject({ kind: 'restarting-503', method: 'GET', times: 20 });
  await t.rejects(box.create(GROUPS, group('g')), { code: 'EDW_ERR_POINT_UNREACHABLE', message: /can't be read back/ });
});

t.test('the box may become readable while it is looked at', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  await box.get(pathOf('g'));
  unit.inject({ kind: 'timeout-500', method: 'POST', path: '/tm/ltm/data-group' });
  unit.inject({ kind: 'restarting-503', method: 'GET', times: 2 });
  t.match(await box.create(GROUPS, group('g')), { fullPath: '/Edgeward/g' });
});

t.test('a busy box gets the write later, once', async (t) => {
  const { client, unit, lines } = await startBox(t);
  const box = client();
  unit.inject({ kind: 'busy-503', path: '/tm/ltm/data-group', times: 3 });
  t.match(await box.create(GROUPS, group('g')), { fullPath: '/Edgeward/g' });
  t.strictSame(
    lines(),
    [503, 503, 503, 200].map((status) => `POST ${GROUPS} ${status}`),
  );
});

t.test('a token that is gone costs one login, in a read and in a write', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  const logins = (): number => unit.calls().filter(({ path }) => path.endsWith('/login')).length;
  await box.get(pathOf('g'));
  unit.inject({ kind: 'expired-401', path: '/tm/' });
  await box.get(pathOf('g'));
  t.equal(logins(), 2);
  unit.inject({ kind: 'expired-401', method: 'POST', path: '/tm/' });
  await box.create(GROUPS, group('g'));
  t.equal(logins(), 3);
  unit.inject({ kind: 'expired-401', path: '/tm/', times: 50 });
  await t.rejects(box.get(pathOf('g')), { code: 'EDW_ERR_BIGIP_LOGIN' });
  t.equal(logins(), 4, 'and is no loop');
});

t.test('a read whose connection breaks is made again, once', async (t) => {
  const { client, unit, lines } = await startBox(t);
  const box = client();
  await box.get(pathOf('g'));
  unit.inject({ kind: 'reset', method: 'GET' });
  t.equal(await box.get(pathOf('g')), null);
  unit.inject({ kind: 'reset', method: 'GET', times: 2 });
  const from = unit.calls().length;
  await t.rejects(box.get(pathOf('g')), { code: 'EDW_ERR_POINT_UNREACHABLE' });
  t.equal(lines(from).length, 2);
});

t.test('a hundred clients that end leave no token; without that the next one is told what to do', async (t) => {
  const users = [{ name: 'svc', password: 'admin', role: 'manager' as const }];
  const { client, unit } = await startBox(t, { users });
  for (let i = 0; i < 105; i += 1) {
    const box = client({ user: 'svc' });
    await box.get(pathOf('g'));
    await box.close();
  }
  const held = Array.from({ length: 100 }, () => client({ user: 'svc' }));
  for (const box of held) await box.get(pathOf('g'));
  await t.rejects(client({ user: 'svc' }).get(pathOf('g')), { code: 'EDW_ERR_BIGIP_TOKENS_EXHAUSTED', mend: /Wait/ });
  await held[0]?.close();
  t.equal(await client({ user: 'svc' }).get(pathOf('g')), null, 'until one is given back');
  t.ok(unit.calls().length > 0);
});

t.test('a wrong password, and a role that may only read', async (t) => {
  const users = [
    { name: 'admin', password: 'another', role: 'admin' as const },
    { name: 'reader', password: 'admin', role: 'guest' as const },
  ];
  const { client } = await startBox(t, { users });
  await t.rejects(client().get(pathOf('g')), { code: 'EDW_ERR_BIGIP_LOGIN', mend: /password/ });
  const reader = client({ user: 'reader' });
  t.equal(await reader.get(pathOf('g')), null);
  await t.rejects(reader.create(GROUPS, group('g')), { code: 'EDW_ERR_BIGIP_RIGHTS', mend: /role/ });
});

t.test('writes that are asked for at once are all made', async (t) => {
  const { client, lines } = await startBox(t);
  const box = client();
  const names = Array.from({ length: 12 }, (_, index) => `g${index}`);
  await Promise.all([...names.map((name) => box.create(GROUPS, group(name))), box.get(pathOf('g0'))]);
  t.match(await box.list(GROUPS), { length: 12 });
  t.equal(lines().filter((line) => line === `POST ${GROUPS} 200`).length, 12);
});

t.test('a change is validated without being made, and nothing is left of it', async (t) => {
  for (const version of ['17.1.2', '13.1.3'] as const) {
    const { client, unit, lines } = await startBox(t, { version });
    const box = client();
    await box.create(GROUPS, group('g'));
    const before = await box.get(pathOf('g'));
    const from = unit.calls().length;
    await box.validate({ method: 'PATCH', path: pathOf('g'), body: { records: [{ name: '10.0.0.1', data: 'x' }] } });
    t.match(lines(from), [
      'POST tm/transaction 200',
      /^PATCH tm\/ltm/,
      /^PATCH tm\/transaction\/\d+ 200/,
      /^DELETE tm\/transaction/,
    ]);
    await box.validate({ method: 'POST', path: GROUPS, body: group('h') });
    t.strictSame(await box.get(pathOf('g')), before);
    t.equal(await box.get(pathOf('h')), null);
    const tooLong = { records: [{ name: '10.0.0.1', data: 'x'.repeat(70_000) }] };
    await t.rejects(box.validate({ method: 'PATCH', path: pathOf('g'), body: tooLong }), {
      code: 'EDW_ERR_BIGIP_REFUSED',
      message: /01070712:3:/,
    });
    await t.rejects(box.validate({ method: 'POST', path: GROUPS, body: group('g') }), { message: /already exists/ });
    await t.rejects(box.validate({ method: 'PATCH', path: pathOf('none'), body: { records: [] } }), {
      code: /^EDW_ERR_BIGIP_/,
    });
    t.strictSame(await transactionsOf(box), [], 'no transaction is left');
  }
});

t.test('commands are run', async (t) => {
  const { client } = await startBox(t);
  const box = client();
  t.match(await box.run('tm/sys/config', { command: 'save' }), { command: 'save' });
  await t.rejects(box.run('tm/sys/config', { command: 'fly' }), { code: 'EDW_ERR_BIGIP_REFUSED' });
});

t.test('a box that reboots in between is logged in to anew', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  await box.create(GROUPS, group('g'));
  await unit.reboot();
  let found: unknown = 'unreachable';
  for (let i = 0; i < 3_000 && found === 'unreachable'; i += 1) {
    found = await box.get(pathOf('g')).catch((error: { code: string }) => {
      t.equal(error.code, 'EDW_ERR_POINT_UNREACHABLE');
      return 'unreachable';
    });
    if (found === 'unreachable') await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.equal(found, null, 'and holds what was saved');
});

t.test('nothing is called that the record of calls does not hold', async (t) => {
  const { client, unit } = await startBox(t);
  const box = client();
  await box.create(GROUPS, group('g'));
  await box.validate({ method: 'PATCH', path: pathOf('g'), body: { records: [] } });
  await box.modify(pathOf('g'), { records: [] });
  await box.list(GROUPS, { $filter: 'partition eq Edgeward' });
  await box.create('tm/sys/file/data-group', await uploaded(box, 'f', '"a" := "1",\n'));
  await box.run('tm/sys/config', { command: 'save' });
  await box.remove(pathOf('g'));
  await box.version();
  await box.close();
  t.strictSame(unrecorded(unit), []);
  const session = unit.calls().filter(({ path }) => path.includes('/shared/auth'));
  t.match(
    session.map(({ method }) => method),
    ['POST', 'DELETE'],
  );
});

function sentOf(lines: string[], method: string): number {
  return lines.filter((line) => line.startsWith(method)).length;
}

function unrecorded(unit: SimulatedUnit): string[] {
  return unit.calls().flatMap(({ method, path }) => (recordOf(method, path) === null ? [`${method} ${path}`] : []));
}

async function transactionsOf(box: Icontrol): Promise<unknown[]> {
  return await box.list('tm/transaction');
}
