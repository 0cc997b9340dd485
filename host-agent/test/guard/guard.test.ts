/** What a guard does beside the usual: who hides, who fights, who is none of our business, and what it can't see. */
import { HOST_ADDRESSES, requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { readForeign, readOwnState, writeForeign } from '../fixtures/host-own-state.ts';
import { FRIENDS, type GuardedHost, pause, STRANGERS, startGuardedHost, until } from './fixtures/guarded-host.ts';

requireHosts(t);
t.jobs = 4;

const savedRules = ({ host }: GuardedHost): Promise<string> => host.run('iptables-nft-save', '-t', 'filter');

/** Of the marks that let connections live. */
async function generationOf(scene: GuardedHost): Promise<string> {
  return /EW-POL-(\d+)/.exec(await savedRules(scene))?.[1] ?? '';
}

t.test('what hides, or takes more than rules away, is put back all the same', { timeout: 400_000 }, async (t) => {
  const scene = await startGuardedHost(t, 'nft');
  const { host, tables } = scene;
  const wanted = await readOwnState(host, 'nft');
  const tamperings: [string, RegExp, () => Promise<unknown>][] = [
    [
      'a rule that is replaced under the comment of the one before',
      /IPv4: chain EW-DENY-\d+ was changed/,
      async () => {
        const generation = await generationOf(scene);
        const comment = /-A EW-DENY-\d+ .*--comment "?(ew:[0-9a-f]{12})"? -j DROP/.exec(await savedRules(scene))?.[1];
        await tables('-R', `EW-DENY-${generation}`, '2', '-m', 'comment', '--comment', comment ?? '', '-j', 'ACCEPT');
      },
    ],
    [
      'a chain named like ours',
      /begins with EW-/,
      () => tables('-N', 'EW-\u001b[31m').then(() => tables('-A', 'EW-\u001b[31m', '-j', 'ACCEPT')),
    ],
    ['IPv6 alone', /^IPv6: chain EW-SAFE was emptied$/, () => host.run('ip6tables-nft', '-F', 'EW-SAFE')],
    ['what the rules say of themselves', /chain EW-META was changed/, () => tables('-F', 'EW-META')],
    [
      'all rules and all sets',
      /our rules are gone/,
      () => host.run('sh', '-c', 'nft flush ruleset; ipset destroy || sleep 0.1; ipset destroy || true'),
    ],
  ];
  for (const [name, words, tamper] of tamperings) {
    const guard = await scene.guard();
    await tamper();
    t.ok(await until(() => guard.status().repairs.count > 0), `${name}: repaired`);
    t.match(guard.status().repairs.last?.words, words, `${name}: told`);
    t.ok(
      await until(async () => JSON.stringify(await readOwnState(host, 'nft')) === JSON.stringify(wanted)),
      `${name}: as it was`,
    );
    await guard.close();
  }
});

t.test('who was let in meanwhile is cut by the repair, and others live on', async (t) => {
  const scene = await startGuardedHost(t, 'nft');
  const { host, tables } = scene;
  await host.probe().listen('tcp/5432');
  const [friend, stranger] = [FRIENDS.inet, STRANGERS.inet].map((from) => ({
    from,
    to: HOST_ADDRESSES.inet,
    port: 'tcp/5432',
  }));
  if (friend === undefined || stranger === undefined) return;
  const watching = await scene.guard({ reaction: 'report' });
  const generation = await generationOf(scene);
  await tables('-I', `EW-POL-${generation}`, '1', '-s', stranger.from, '-g', `EW-OK-${generation}`);
  t.ok(await until(() => watching.status().drift.length > 0), 'seen');
  t.strictSame(await host.call([friend, stranger]), ['open', 'open'], 'both are let in');
  const connections = [await host.probe().connect(friend), await host.probe().connect(stranger)];
  await watching.close();
  const guard = await scene.guard();
  t.ok(await until(() => guard.status().repairs.count >= 1), 'repaired');
  t.not(await generationOf(scene), generation, 'under another generation');
  const answers = await Promise.all(connections.map((connection) => host.probe().echo(connection)));
  t.strictSame(answers, [true, false], 'the friend is answered, the stranger is not');
});

t.test(
  'who undoes every repair is fought with pauses, and when they stop the policy is back',
  { timeout: 400_000 },
  async (t) => {
    const scene = await startGuardedHost(t, 'nft');
    const wanted = await readOwnState(scene.host, 'nft');
    const told: boolean[] = [];
    const guard = await scene.guard({ onContended: (contended) => told.push(contended) });
    let fights = 0;
    const fought = await until(async () => {
      fights += 1;
      await scene.tables('-F', 'EW-IN');
      return guard.status().state === 'contended';
    });
    t.ok(fought, `contended, after ${fights} fights and ${guard.status().repairs.count} repairs`);
    t.strictSame(told, [true], 'told once');
    await scene.tables('-F', 'EW-IN');
    t.ok(await until(() => guard.status().drift.length > 0), 'what is not repaired yet is drift');
    t.ok(
      await until(async () => JSON.stringify(await readOwnState(scene.host, 'nft')) === JSON.stringify(wanted)),
      'repaired after a pause',
    );
    t.equal(guard.status().state, 'contended', 'a while is to pass before it is calm');
  },
);

t.test('what others do beside our rules is left to them', async (t) => {
  const scene = await startGuardedHost(t, 'nft');
  const { host, tables } = scene;
  const guard = await scene.guard();
  const writes = scene.writes();
  await writeForeign(host, 'nft');
  for (let n = 1; n <= 20; n += 1) await tables('-A', 'INPUT', '-p', 'udp', '--dport', String(n), '-j', 'THEIRS');
  await host.run('nft', 'add', 'table', 'inet', 'theirs');
  await host.run('nft', 'flush', 'table', 'ip', 'mangle');
  await tables('-F', 'THEIRS');
  const foreign = await readForeign(host, 'nft');
  await pause(500);
  t.strictSame(
    [guard.status().repairs.count, guard.status().drift, scene.writes() - writes],
    [0, [], 0],
    'nothing is written',
  );
  t.strictSame(await readForeign(host, 'nft'), foreign, 'theirs is as it was');
});

t.test('who only reports writes nothing, and takes back what was undone', async (t) => {
  for (const backend of ['nft', 'legacy'] as const) {
    const scene = await startGuardedHost(t, backend);
    const drifts: string[][] = [];
    const guard = await scene.guard({ reaction: 'report', onDrift: (drift) => drifts.push([...drift]) });
    const writes = scene.writes();
    await scene.tables('-I', 'INPUT', '1', '-j', 'ACCEPT');
    t.ok(await until(() => guard.status().drift.length === 1), `${backend}: a rule is told`);
    await scene.host.run('ipset', 'add', await scene.set(), '203.0.113.9,tcp:5432');
    t.ok(await until(() => guard.status().drift.length > 1), `${backend}: a set is told`);
    await scene.tables('-D', 'INPUT', '1');
    await scene.host.run('ipset', 'del', await scene.set(), '203.0.113.9,tcp:5432');
    t.ok(await until(() => guard.status().drift.length === 0), `${backend}: nothing is left`);
    t.strictSame(
      [scene.writes() - writes, guard.status().repairs.count],
      [0, 0],
      `${backend}: and nothing was written`,
    );
    t.ok(drifts.length >= 3 && drifts.at(-1)?.length === 0, `${backend}: each change was told`);
  }
});

t.test('an apply of ours is no tampering, and in the middle of one nothing is repaired', async (t) => {
  const scene = await startGuardedHost(t, 'nft');
  const guard = await scene.guard();
  for (let revision = 2; revision <= 6; revision += 1) {
    const policy = hostPolicy({ revision, allow: [`10.${revision}.0.0/16`] });
    guard.pause();
    await scene.point.apply(policy);
    guard.policyApplied(policy);
  }
  await pause(500);
  t.equal(guard.status().repairs.count, 0, 'five policies, no repair');
  guard.pause();
  await scene.tables('-F', 'EW-IN');
  await pause(500);
  t.equal(guard.status().repairs.count, 0, 'paused');
  guard.policyApplied(null);
  await pause(500);
  t.equal(guard.status().repairs.count, 0, 'no policy is in force');
  guard.policyApplied(hostPolicy({ revision: 6, allow: ['10.6.0.0/16'] }));
  t.ok(await until(() => guard.status().repairs.count >= 1), 'and now one is');
});

t.test('without nft monitor rules are polled, and one that ends is started again', { timeout: 400_000 }, async (t) => {
  const scene = await startGuardedHost(t, 'nft');
  const blind = await scene.guard({ where: ['/nowhere/at-all'] });
  t.ok(await until(() => blind.status().warnings.length === 1), 'told');
  t.match(blind.status().warnings, [/nft monitor can't be started \(ENOENT\): rules are looked at each 0.1 s/]);
  await scene.tables('-F', 'EW-IN');
  t.ok(await until(() => blind.status().repairs.count >= 1), 'repaired all the same');
  await blind.close();

  const guard = await scene.guard({ timing: { pollMs: 600_000, setsMs: 600_000 } });
  const monitors = async (): Promise<string[]> => {
    const pids = await scene.host.run('sh', '-c', 'ip netns pids "$(ip netns identify)"');
    const names = await Promise.all(
      pids
        .split('\n')
        .filter(Boolean)
        .map(async (pid) => [pid, await scene.host.run('sh', '-c', `cat /proc/${pid}/comm || true`)]),
    );
    return names.flatMap(([pid, name]) => (name?.trim() === 'nft' && pid !== undefined ? [pid] : []));
  };
  const [first = ''] = await monitors();
  process.kill(Number(first), 'SIGKILL');
  t.ok(await until(async () => (await monitors()).some((pid) => pid !== first)), 'another one runs');
  await pause(700);
  t.strictSame(guard.status().warnings, [], 'and nothing is amiss');
  await scene.tables('-F', 'EW-IN');
  t.ok(await until(() => guard.status().repairs.count >= 1), 'it tells');
  await guard.close();
  t.strictSame(await monitors(), [], 'none is left when the guard is closed');
  t.match(await savedRules(scene), /EW-META/, 'and the policy stays');
});

t.test('a repair that is refused is told, and made when it can be', { timeout: 400_000 }, async (t) => {
  const scene = await startGuardedHost(t, 'nft');
  const guard = await scene.guard();
  const newer = hostPolicy({ revision: 9, allow: ['10.9.0.0/16'] });
  await scene.point.apply(newer);
  await scene.tables('-F', 'EW-IN');
  t.ok(await until(() => guard.status().warnings.length > 0), 'another revision is in force: told');
  t.match(guard.status(), { warnings: [/revision/], repairs: { count: 0 } }, 'and left as it is');
  guard.policyApplied(newer);
  t.ok(await until(() => guard.status().repairs.count > 0), 'repaired');
  t.strictSame(guard.status().warnings, [], 'and nothing is amiss');
});
