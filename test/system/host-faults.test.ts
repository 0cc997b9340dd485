/**
 * What a host may meet: another firewall that writes all the time, a lock that is held, more members than a set has room for,
 * texts where numbers belong, programs and parts of the kernel that are not there. Real programs in namespaces; what is
 * taken from them is taken by an overlay that nobody else sees.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Backend,
  createHostPoint,
  createNetfilter,
  createToolRun,
  type HostOptions,
  type HostPoint,
  type RunTool,
} from '@edgeward/host-agent';
import type { CompiledPolicy } from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import { compileDocuments, HOST_ADDRESSES, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { until } from './waiting.ts';

requireHosts(t);
t.setTimeout(400_000);

const OPTIONS: HostOptions = {
  ...{ mark: { mask: 0x0fff0000, shift: 16 }, verdict: 'exclusive', publishedPorts: false },
};
const { inet, inet6 } = HOST_ADDRESSES;
const PORT = 'tcp/5432';
const [FRIEND, STRANGER] = ['10.1.0.5', '203.0.113.9'];

function policyOf(
  revision: number,
  allow: readonly string[],
  more: { name?: string; id?: string } = {},
): CompiledPolicy {
  const { name = 'db', id = 'r' } = more;
  const documents = [
    { kind: 'Workload', name, labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'h', mode: 'enforce' },
    { kind: 'Point', name: 'h', management: ['10.99.0.0/24'] },
    {
      kind: 'Policy',
      name: 'p',
      rules: [{ id, from: allow.map((cidr) => ({ cidr })), to: "app == 'db'", ports: [PORT] }],
    },
  ];
  return compileDocuments(documents, { revision, point: 'h' });
}

function pointBy(run: RunTool, backend: Backend): HostPoint {
  return createHostPoint({ name: 'h', options: OPTIONS, netfilter: createNetfilter(backend, run) });
}

const pointOn = (where: readonly string[], backend: Backend): HostPoint => pointBy(createToolRun({ where }), backend);

const inForce = ({ revision, hash }: CompiledPolicy): object => ({
  ...{ state: 'loaded', revision, hash, drift: [], unfinished: [] },
});

/** `refused` passed the filter: nobody listens. */
const calls = (host: TestHost, ...from: string[]): Promise<string[]> =>
  host.call(from.map((address) => ({ from: address, to: address.includes(':') ? inet6 : inet, port: PORT })));

/** A process that ends with the test. */
function startBeside(t: Test, [program = '', ...args]: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: '/usr/sbin:/usr/bin' } });
  t.teardown(() => void child.kill('SIGKILL'));
  return child;
}

t.test('while another tool writes rules all the time both get theirs in', async (t) => {
  for (const backend of ['nft', 'legacy'] as const) {
    const host = await startHost(t);
    // Its own chain, rewritten as fast as it can, with no wait for a lock and no look at what others do.
    const table = `iptables-${backend}`;
    const writes = `n=0; while true; do ${table} -w 5 -A THEIRS -s 192.0.2.1 -j RETURN && n=$((n+1)); ${table} -w 5 -F THEIRS && echo $n; done`;
    await host.run(table, '-N', 'THEIRS');
    await host.run(table, '-A', 'INPUT', '-j', 'THEIRS');
    const other = startBeside(t, [...host.where, 'sh', '-c', writes]);
    let theirs = 0;
    other.stdout?.setEncoding('utf8').on('data', (text: string) => {
      theirs = Number(text.trim().split('\n').at(-1));
    });
    await until('it writes', () => theirs > 0);
    const point = pointOn(host.where, backend);
    for (let revision = 1; revision <= 8; revision += 1) {
      const [before, policy] = [theirs, policyOf(revision, [`10.${revision}.0.0/16`])];
      await point.apply(policy);
      t.strictSame(await point.inspect(), inForce(policy), `${backend}: revision ${revision}`);
      await until('it goes on writing', () => theirs > before);
    }
    other.kill('SIGKILL');
    await once(other, 'close');
    t.match(await host.run(table, '-S', 'INPUT'), /-A INPUT -j THEIRS/, 'theirs is where it was');
    await point.settled();
    await host.close();
  }
});

t.test('a lock that is held is waited for; one that stays so is told, and what is in force stays', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-lock-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const host = await startHost(t);
  // Not the lock of this machine.
  const lock = join(folder, 'xtables.lock');
  const point = pointOn([...host.where, 'env', `XTABLES_LOCKFILE=${lock}`], 'legacy');
  const first = policyOf(1, ['10.1.0.0/16']);
  await point.apply(first);

  const hold = async (): Promise<ChildProcess> => {
    const holder = startBeside(t, ['flock', '-F', lock, 'sh', '-c', 'echo held; exec sleep 60']);
    if (holder.stdout !== null) await once(holder.stdout, 'data');
    return holder;
  };
  const release = async (holder: ChildProcess): Promise<void> => {
    holder.kill('SIGKILL');
    await once(holder, 'close');
  };
  const staying = await hold();
  await t.rejects(point.apply(policyOf(2, ['10.2.0.0/16'])), { code: 'EDW_ERR_HOST_BUSY' });
  t.strictSame(await calls(host, FRIEND, STRANGER), ['refused', 'silent'], 'what was in force judges');
  await release(staying);

  const passing = await hold();
  const second = policyOf(3, ['10.1.0.0/16', '10.3.0.0/16']);
  const applied = point.apply(second);
  await until('a program waits for the lock', async () => {
    const pids = (await host.run('ip', 'netns', 'pids', host.where.at(-1) ?? '')).split('\n').filter((it) => it !== '');
    const names = await Promise.all(pids.map((pid) => host.run('cat', `/proc/${pid}/comm`).catch(() => '')));
    return names.some((name) => /tables-legacy/.test(name));
  });
  await release(passing);
  await applied;
  t.strictSame(await point.inspect(), inForce(second));
});

t.test(
  'what was written is read back: who writes between the two, or says done and is not, is found out',
  async (t) => {
    const host = await startHost(t);
    const run = createToolRun({ where: host.where });
    const first = policyOf(1, ['10.1.0.0/16']);
    await pointOn(host.where, 'nft').apply(first);
    const isWrite = (program: string, args: readonly string[]): boolean =>
      [program, ...args].some((word) => /restore$/.test(word));
    const [liar, meddler]: RunTool[] = [
      async (call) => (isWrite(call.program, call.args) ? { status: 0, stdout: '', stderr: '' } : run(call)),
      async (call) => {
        const answer = await run(call);
        const accepts = { program: 'iptables-nft', args: ['-I', 'INPUT', '1', '-s', STRANGER, '-j', 'ACCEPT'] };
        if (call.program === 'iptables-nft-restore') await run(accepts);
        return answer;
      },
    ];
    for (const [what, how, words, revision] of [
      ['a program that ends well and wrote nothing', liar, /another policy is in force/, 2],
      ['a rule that came before ours meanwhile', meddler, /a rule stands before EW-IN in INPUT/, 3],
    ] as const) {
      if (how === undefined) continue;
      const point = pointBy(how, 'nft');
      const policy = policyOf(revision, [`10.${revision}.0.0/16`]);
      await t.rejects(point.apply(policy), { code: 'EDW_ERR_HOST_READ_BACK', message: words }, what);
      const anew = pointOn(host.where, 'nft');
      await anew.apply(policy);
      t.strictSame(await anew.inspect(), inForce(policy), `${what}: the next attempt mends it`);
      await anew.settled();
    }
    t.strictSame(await calls(host, '10.3.0.1', STRANGER), ['refused', 'silent']);
  },
);

t.test('more members than a set has room for stand in one that has it', async (t) => {
  const host = await startHost(t);
  const point = pointOn(host.where, 'nft');
  const few = ['10.1.0.0/24', '10.2.0.0/24'];
  await point.apply(policyOf(1, few));
  const rooms = async (): Promise<number[]> => {
    const lists = (await host.run('ipset', 'list', '-t')).split('Name: ew4p-').slice(1);
    return lists.map((list) => Number(/ maxelem (\d+)/.exec(list)?.[1]));
  };
  const [room = 0] = await rooms();
  // Every other address, so that no two are one network.
  const many = Array.from({ length: room + 10 }, (_, n) => `100.${n >> 15}.${(n >> 7) & 255}.${(n & 127) * 2}/32`);
  const full = policyOf(2, [...few, ...many]);
  await point.apply(full);
  t.strictSame(await point.inspect(), inForce(full));
  await point.settled();
  t.ok(
    (await rooms()).every((now) => now > room),
    `${room + 12} members, ${await rooms()} have room`,
  );
  t.strictSame(await calls(host, '10.1.0.5', '100.0.0.2', '100.0.0.3'), ['refused', 'refused', 'silent']);
});

t.test('sources that overlap, that stand twice, and everyone, are what they are together', async (t) => {
  const host = await startHost(t);
  const point = pointOn(host.where, 'nft');
  const heap = ['10.0.0.0/8', '10.0.0.0/8', '10.1.0.0/16', '10.1.0.5/32', '2001:db8::/32', '2001:db8:1::/48'];
  const from = [FRIEND, '10.200.0.1', STRANGER, '2001:db8:1::5', '2001:db9::5'];
  await point.apply(policyOf(1, heap));
  t.strictSame(await calls(host, ...from), ['refused', 'refused', 'silent', 'refused', 'silent']);
  await point.apply(policyOf(2, [...heap, '0.0.0.0/0', '::/0']));
  t.strictSame(
    await calls(host, ...from),
    from.map(() => 'refused'),
    'hash:net refuses /0, and nobody asks it to',
  );
  await point.apply(policyOf(3, heap));
  t.strictSame(await calls(host, ...from), ['refused', 'refused', 'silent', 'refused', 'silent'], 'and back');
  const halves = policyOf(4, ['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1']);
  await point.apply(halves);
  t.strictSame(
    await calls(host, ...from),
    from.map(() => 'refused'),
    'two halves are everyone',
  );
  t.strictSame(await point.inspect(), inForce(halves));
});

t.test('names as long as may be, and texts where numbers belong, come into no rule', async (t) => {
  const host = await startHost(t);
  const point = pointOn(host.where, 'nft');
  const long = policyOf(1, ['10.1.0.0/16'], { name: `d${'.'.repeat(61)}b`, id: `r${'-'.repeat(61)}1` });
  await point.apply(long);
  t.strictSame(await point.inspect(), inForce(long));
  t.strictSame(await calls(host, FRIEND, STRANGER), ['refused', 'silent']);
  const texts = [
    'a\n-I INPUT 1 -j ACCEPT',
    '5432 -j ACCEPT',
    '1\nCOMMIT\n*nat\n-A OUTPUT -j ACCEPT',
    '"',
    "'\\",
    '010.0.0.1',
  ];
  let applied = 0;
  for (const [at, text] of texts.entries()) {
    for (const hostile of hostilePolicies(policyOf(2 + at, ['10.1.0.0/16']), text)) {
      applied += await point.apply(hostile).then(
        () => 1,
        () => 0,
      );
      const rules = await host.run('iptables-nft-save');
      t.notMatch(rules, /-A (?:INPUT|OUTPUT) -j ACCEPT|\*nat/, JSON.stringify(text));
      t.match(rules, /-A INPUT (?:-m comment --comment "?ew:[0-9a-f]{12}"? )?-j EW-IN/);
    }
  }
  t.ok(applied > 0, `${applied} of them can stand: their texts are nowhere asked for`);
  t.equal((await calls(host, STRANGER))[0], 'silent');
});

/** As somebody could sign who has the key of a service: each kind of place has the text once. */
function hostilePolicies(policy: CompiledPolicy, text: string): CompiledPolicy[] {
  const [object] = policy.objects;
  if (object === undefined) return [];
  const word = text as never;
  const objects = [
    { ...object, name: text, bind: text },
    { ...object, rules: object.rules.map((rule) => ({ ...rule, id: text })) },
    { ...object, ports: [{ protocol: word, from: 1, to: 65_535 }] },
    { ...object, rules: object.rules.map((rule) => ({ ...rule, ports: [{ protocol: word, from: word, to: word }] })) },
    {
      ...object,
      rules: object.rules.map((rule) => ({ ...rule, ports: [{ protocol: 'tcp' as const, from: word, to: 5432 }] })),
    },
  ];
  // Each is another policy: of one that is in force already nothing would be written.
  return objects.map((one) => ({ ...policy, hash: sha256Hex(JSON.stringify(one)), objects: [one] }));
}
