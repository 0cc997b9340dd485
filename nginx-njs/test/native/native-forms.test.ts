/** What chance seldom draws: names that NGINX reads otherwise, many intervals, methods, clients without an address. */

import { readFileSync } from 'node:fs';
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import { compileDocuments, requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { type NativeSnapshot, nativeRefusals, nativeSnapshot, nativeSnapshotAside } from '../../driver/native/index.ts';
import { startNativeEcho } from './native-echo.ts';

interface Front {
  name?: string;
  bind?: string;
  ports?: string[];
  mode?: string;
  trustedProxies?: string[];
}

const front = ({ name = 'shop', bind = name, ports = ['tcp/443'], ...rest }: Front): unknown => ({
  kind: 'VirtualServer',
  name,
  labels: { app: 'shop' },
  point: 'edge-1',
  bind,
  ports,
  mode: 'enforce',
  ...rest,
});

const rules = (...list: { id: string; from: string[]; [key: string]: unknown }[]): unknown => ({
  kind: 'Policy',
  name: 'p',
  rules: list.map(({ from, ...rule }) => ({ from: from.map((cidr) => ({ cidr })), to: "app == 'shop'", ...rule })),
});

const compiled = (...documents: unknown[]): CompiledPolicy => compileDocuments(documents, { revision: 3 });
const from = (address: string, more: Partial<Flow> = {}): Flow => ({
  from: address,
  to: 'shop',
  port: 'tcp/443',
  ...more,
});

const allowsOf =
  (policy: CompiledPolicy) =>
  (folder: string): NativeSnapshot =>
    nativeSnapshot(policy, { generation: 'g1', folder, answers: 'allow' });

await requireNginx(t, 'debian-13', 'debian-12');

t.test('names are compared with case, and none of them is a word of NGINX', async (t) => {
  const long = `a${'b'.repeat(150)}`;
  const binds = ['shop', 'Shop', 'SHOP', 'default', 'include', 'volatile', 'hostnames', long, '/Common/vs', 'a.b'];
  const policy = compiled(
    ...binds.map((bind, i) => front({ name: `n${i}`, bind })),
    rules({ id: 'r', from: ['10.0.0.1'] }),
  );
  for (const edition of ['debian-13', 'debian-12'] as const) {
    const echo = await startNativeEcho(
      t,
      (folder) => nativeSnapshot(policy, { generation: 'g1', folder, answers: 'every' }),
      edition,
    );
    for (const to of binds) {
      t.equal(await said(echo.http(from('10.0.0.1', { to }))), 'allow allowed-by-rule r', `${edition} ${to}`);
    }
    for (const to of ['sHOP', 'Default', 'aXb', long.slice(1), '']) {
      t.equal(await said(echo.http(from('10.0.0.1', { to }))), 'deny unknown-object -', `${edition} '${to}'`);
    }
  }
});

t.test('a client without an address is nobody, also where everybody is let in', async (t) => {
  const policy = compiled(front({}), rules({ id: 'r', from: ['0.0.0.0/0', '::/0'] }));
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(policy, { generation: 'g1', folder, answers: 'every' }),
  );
  t.equal(await said(echo.unix(from(''))), 'deny unknown-source -', 'over a unix socket');
  for (const address of ['0.0.0.0', '127.0.0.1', '255.255.255.254', '::', '::1', '8000::', '::ffff:1.2.3.4'])
    t.equal(await said(echo.http(from(address))), 'allow allowed-by-rule r', address);
});

t.test('thousands of intervals, a crowded network among them, are found in ranges and beside them', async (t) => {
  const spread = Array.from({ length: 3000 }, (_, n) => `10.${n >> 6}.${(n & 63) * 4}.${n & 255}`);
  const crowded = Array.from({ length: 900 }, (_, n) => `11.1.${n >> 7}.${(n & 127) * 2}`);
  const wide = ['12.0.0.0/8', '13.1.255.255', '13.2.0.0/31', '2001:db8::/32', '255.255.255.254/31'];
  const policy = compiled(front({}), rules({ id: 'r', from: [...spread, ...crowded, ...wide] }));
  const snapshot = nativeSnapshot(policy, { generation: 'g1', folder: '/f', answers: 'every' });
  const ranges = snapshot.files.find(({ name }) => name.endsWith('.ranges'))?.text ?? '';
  t.ok(ranges.includes('10.0.0.0-10.0.0.0 r0;') && !ranges.includes('11.1.') && !ranges.includes('255.255.255.255'));
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(policy, { generation: 'g1', folder, answers: 'every' }),
  );
  for (const address of [
    '10.0.0.0',
    '10.46.220.183',
    '11.1.0.0',
    '11.1.7.6',
    '12.0.0.0',
    '12.255.255.255',
    '13.2.0.1',
    '2001:db8::7',
    '::ffff:12.1.1.1',
    '255.255.255.254',
  ])
    t.equal(await said(echo.http(from(address))), 'allow allowed-by-rule r', address);
  for (const address of [
    '10.0.0.1',
    '11.1.0.1',
    '11.0.255.255',
    '13.0.0.0',
    '13.2.0.2',
    '2001:db9::',
    '255.255.255.253',
  ])
    t.equal(await said(echo.http(from(address))), 'deny unknown-source -', address);
});

t.test('ports by number, by range and beyond what is listed', async (t) => {
  const policy = compiled(
    front({ ports: ['tcp/443', 'tcp/7000-7999', 'tcp/20000-65535'] }),
    rules({ id: 'all', from: ['10.0.0.1'] }, { id: 'some', from: ['10.0.0.2'], ports: ['tcp/7950-20017', 'tcp/443'] }),
  );
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(policy, { generation: 'g1', folder, answers: 'every' }),
  );
  const cases: [string, string, string][] = [
    ['10.0.0.1', '443', 'allow allowed-by-rule all'],
    ['10.0.0.1', '7000', 'allow allowed-by-rule all'],
    ['10.0.0.1', '65535', 'allow allowed-by-rule all'],
    ['10.0.0.1', '8000', 'deny port-not-allowed -'],
    ['10.0.0.1', '0443', 'deny port-not-allowed -'],
    ['10.0.0.2', '7949', 'deny port-not-allowed -'],
    ['10.0.0.2', '7950', 'allow allowed-by-rule some'],
    ['10.0.0.2', '7999', 'allow allowed-by-rule some'],
    ['10.0.0.2', '8000', 'deny port-not-allowed -'],
    ['10.0.0.2', '20017', 'allow allowed-by-rule some'],
    ['10.0.0.2', '20018', 'deny port-not-allowed -'],
    ['10.0.0.3', '443', 'deny unknown-source -'],
    ['10.0.0.3', '8000', 'deny unknown-source -'],
  ];
  for (const [address, port, wanted] of cases)
    t.equal(await said(echo.http(from(address, { port: `tcp/${port}` }))), wanted, `${address} ${port}`);
});

t.test('a method is allowed natively where the path can be read in one way alone', async (t) => {
  const policy = compiled(
    front({}),
    rules(
      { id: 'reads', from: ['10.0.0.1'], http: [{ methods: ['GET', 'PROPFIND'] }] },
      { id: 'paths', from: ['10.0.0.2'], http: [{ path: '/a/*' }] },
      { id: 'never', from: ['10.0.0.3'], http: [{ methods: ['GET'] }], action: 'deny' },
      { id: 'all', from: ['10.0.0.3'] },
    ),
  );
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(policy, { generation: 'g1', folder, answers: 'allow' }),
  );
  const cases: [string, string, string, string][] = [
    ['10.0.0.1', 'GET', '/', 'allow'],
    ['10.0.0.1', 'GET', '/a/b-c.d/', 'allow'],
    ['10.0.0.1', 'GET', '/a?b=%2f&c=../..', 'allow'],
    ['10.0.0.1', 'PROPFIND', '/a', 'allow'],
    ['10.0.0.1', 'POST', '/', ''],
    ['10.0.0.1', 'GET', '/a/../b', ''],
    ['10.0.0.1', 'GET', '/a/%2e', ''],
    ['10.0.0.1', 'GET', '/a//b', ''],
    ['10.0.0.1', 'GET', '/a;b', ''],
    ['10.0.0.1', 'GET', '/a/..;/b', ''],
    ['10.0.0.1', 'GET', '/a\\b', ''],
    ['10.0.0.1', 'GET', '/a#b', ''],
    ['10.0.0.1', 'GET', 'http://elsewhere/a', ''],
    ['10.0.0.2', 'GET', '/a/b', ''],
    ['10.0.0.3', 'GET', '/', ''],
    ['10.0.0.3', 'POST', '/', 'allow'],
    ['10.0.0.3', 'POST', '/a/../b', ''],
    ['10.0.0.4', 'GET', '/', ''],
  ];
  for (const [address, method, path, wanted] of cases)
    t.equal(await said(echo.http(from(address, { method, path }))), wanted, `${address} ${method} ${path}`);
  const log = readFileSync(echo.errorLog, 'utf8');
  t.notMatch(log, /\[(alert|crit|emerg)\]/);
});

t.test('a port of the listener, one that is set, and the mark of a proof', async (t) => {
  const policy = compiled(
    front({ ports: ['tcp/443', 'tcp/44', 'tcp/7000-7999'] }),
    front({ name: 'free', mode: 'off' }),
    rules({ id: 'r', from: ['10.0.0.1'] }),
  );
  const echo = await startNativeEcho(t, allowsOf(policy));
  const cases: [Partial<Flow>, string, string][] = [
    [{ port: 'tcp/443' }, '', 'allow'],
    [{ port: 'tcp/7500' }, '', 'allow'],
    [{ port: 'tcp/8000' }, '', ''],
    [{ port: 'tcp/' }, '', ''],
    [{ port: 'tcp/443' }, 'x', ''],
    [{ port: 'tcp/44' }, '3', ''],
    [{ port: 'tcp/7500' }, '7', ''],
    [{ port: 'tcp/' }, '443', ''],
    [{ port: 'tcp/', to: 'free' }, '', 'allow'],
    [{ port: 'tcp/1', to: 'free' }, '', 'allow'],
    [{ port: 'tcp/1', to: 'free' }, 'x', ''],
  ];
  for (const [flow, mark, wanted] of cases)
    t.equal(await said(echo.http(from('10.0.0.1', flow), mark)), wanted, `${JSON.stringify(flow)} '${mark}'`);
  const listening = compiled(front({ ports: ['tcp/1-65535'] }), rules({ id: 'r', from: ['10.0.0.1'] }));
  const other = await startNativeEcho(t, allowsOf(listening));
  t.equal(await said(other.http(from('10.0.0.1', { port: 'tcp/' }))), 'allow', 'that of the listener');
});

t.test('whoever a proxy may speak for is asked about', async (t) => {
  const policy = compiled(front({ trustedProxies: ['10.0.0.0/30'] }), rules({ id: 'r', from: ['10.0.0.0/24'] }));
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(policy, { generation: 'g1', folder, answers: 'allow' }),
  );
  const cases = { '10.0.0.0': '', '10.0.0.3': '', '10.0.0.4': 'allow', '10.0.0.255': 'allow' };
  for (const [address, wanted] of Object.entries(cases)) t.equal(await said(echo.http(from(address))), wanted, address);
});

t.test('a large policy is laid out in a thread, and the same way', async (t) => {
  const from = Array.from(
    { length: 25_000 },
    (_, n) => `${11 + (n >> 14)}.${(n >> 6) & 255}.${(n & 63) * 4}.${n & 255}`,
  );
  const policy = compiled(front({}), rules({ id: 'r', from }));
  const options = { generation: 'g1', folder: '/f', answers: 'allow' } as const;
  let turns = 0;
  const counting = setInterval(() => {
    turns += 1;
  }, 1);
  const aside = await nativeSnapshotAside(policy, options);
  clearInterval(counting);
  t.ok(turns > 0, 'others had their turn meanwhile');
  t.strictSame(aside, nativeSnapshot(policy, options));
  await t.rejects(nativeSnapshotAside(policy, { ...options, folder: '/f;' }), /can't stand in an NGINX configuration/);
});

t.test('without a policy everything is denied', async (t) => {
  const echo = await startNativeEcho(t, (folder) =>
    nativeSnapshot(null, { generation: 'g0', folder, answers: 'every' }),
  );
  t.equal(await said(echo.http(from('10.0.0.1'))), 'deny no-policy -');
  t.equal(await said(echo.stream(from('10.0.0.1'))), 'deny no-policy -');
});

t.test('what has no native form is named, object by object and rule by rule', (t) => {
  const http = [{ methods: ['GET'] }];
  const policy = compiled(front({ trustedProxies: ['10.9.0.0/16'] }), rules({ id: 'r', from: ['10.0.0.1'], http }));
  t.strictSame(nativeRefusals(policy), [
    { object: 'shop', rule: null, why: 'it has trustedProxies' },
    { object: 'shop', rule: 'r', why: 'it has HTTP conditions' },
  ]);
  const off = compiled(front({ mode: 'off' }), rules({ id: 'r', from: ['10.0.0.1'], http }));
  t.strictSame(nativeRefusals(off), [], 'nothing of what is off is judged');
  t.end();
});

t.test('no name becomes anything but a name', (t) => {
  const [object] = compiled(front({}), rules({ id: 'r', from: ['10.0.0.1'] })).objects;
  const hostile = {
    format: 1,
    point: 'edge-1',
    revision: 1,
    hash: 'f'.repeat(64),
    objects: [{ ...object, bind: 'a"; evil' }],
  };
  const make = (policy: unknown, folder: string, generation: string): unknown =>
    nativeSnapshot(policy as CompiledPolicy, { generation, folder, answers: 'every' });
  t.throws(() => make(hostile, '/f', 'g1'), /can't stand/);
  t.throws(() => make(null, '/f;evil', 'g1'), { code: 'EDW_ERR_NGINX_PATH' });
  t.throws(() => make(null, '/f', '../g1'), /names no generation/);
  t.end();
});

async function said(answer: Promise<string>): Promise<string> {
  return (await answer).split('|')[0] ?? '';
}
