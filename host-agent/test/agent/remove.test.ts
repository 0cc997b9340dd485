/** `agent remove` as root, on a host whose state folder belongs to a user that may have put anything there. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import {
  chmod,
  chown,
  lchown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createHostPoint, createNetfilter, createToolRun } from '../../driver/index.ts';
import { NO_STATE } from '../../src/agent-state.ts';
import { type AgentConfig, readAgentConfig } from '../../src/config.ts';
import { readIdentity } from '../../src/identity.ts';
import { removeFromHost } from '../../src/remove.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

requireHosts(t);

const AGENT = 65_534;
const policy = hostPolicy({ revision: 7, allow: ['10.1.0.0/16'] });
const current = { revision: policy.revision, hash: policy.hash };
const STATE = JSON.stringify({ ...NO_STATE, floor: current, current });

interface Place {
  host: TestHost;
  config: AgentConfig;
  /** Root's, beside the state folder. */
  roots: string;
  apply(): Promise<void>;
  rules(): Promise<string>;
}

async function place(t: Test): Promise<Place> {
  const host = await startHost(t);
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-remove-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const [roots, stateDir] = [join(folder, 'roots'), join(folder, 'state')];
  for (const path of [roots, stateDir]) await mkdir(path);
  await chown(stateDir, AGENT, AGENT);
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
  return {
    ...{ host, roots },
    config: readAgentConfig({ value: { stateDir }, file: 'agent.yaml', env: {} }),
    async apply() {
      await point.apply(policy);
      await point.settled();
    },
    rules: () => host.run('iptables-nft-save'),
  };
}

async function filesOf(folder: string): Promise<unknown> {
  return Promise.all(
    (await readdir(folder)).map(async (name) => {
      const { uid, gid, mode } = await stat(join(folder, name));
      return [name, uid, gid, mode, await readFile(join(folder, name), 'utf8')];
    }),
  );
}

t.test("whatever the agent's user linked there, nothing of root's is written, deleted or given away", async (t) => {
  const { host, config, roots, apply, rules } = await place(t);
  const { stateDir } = config;
  await writeFile(join(roots, 'open'), STATE, { mode: 0o644 });
  await writeFile(join(roots, 'closed'), STATE, { mode: 0o600 });
  const before = await filesOf(roots);
  const cases = [
    { name: 'policies', to: '' },
    { name: 'state.json', to: 'open' },
    { name: 'state.json', to: 'closed' },
    { name: 'lock', to: 'open' },
    { name: 'lock', to: 'closed' },
  ];
  for (const { name, to } of cases) {
    const claim = `${name} leads to root's ${to || 'folder'}`;
    await apply();
    await writeFile(join(stateDir, 'state.json'), STATE, { mode: 0o600 });
    await chown(join(stateDir, 'state.json'), AGENT, AGENT);
    await rm(join(stateDir, name), { force: true });
    await symlink(join(roots, to), join(stateDir, name));
    await lchown(join(stateDir, name), AGENT, AGENT);
    const removal = await removeFromHost(config, host.where);
    t.ok(removal.rules > 20, claim);
    t.strictSame(removal.left, [], claim);
    t.notMatch(await rules(), /EW-/, `${claim}: the rules are gone`);
    t.strictSame(await filesOf(roots), before, `${claim}: root's are as they were`);
    const found = await lstat(join(stateDir, 'state.json'));
    t.strictSame([found.uid, found.gid], [AGENT, AGENT], `${claim}: what is written is the agent's`);
    // A link in its place is no state: nothing is to be forgotten, and no start goes by it.
    if (name === 'state.json') t.ok(found.isSymbolicLink(), claim);
    else t.match(await stateIn(stateDir), { floor: current, current: null }, claim);
    for (const path of [name, 'state.json', 'lock']) await unlink(join(stateDir, path)).catch(() => {});
  }
  t.strictSame([process.geteuid?.(), process.getegid?.()], [0, 0], 'root is root again');
});

async function stateIn(stateDir: string): Promise<unknown> {
  return JSON.parse(await readFile(join(stateDir, 'state.json'), 'utf8'));
}

t.test("what is root's own in the folder of the agent's user is not read, and it is told", async (t) => {
  const { host, config, apply, rules } = await place(t);
  const { stateDir } = config;
  await apply();
  await writeFile(join(stateDir, 'lock'), '', { mode: 0o600 });
  const { left } = await removeFromHost(config, host.where);
  t.match(left, [/^a lock that can't be read.*puts the rules back$/]);
  t.notMatch(await rules(), /EW-/);

  await apply();
  await writeFile(join(stateDir, 'state.json'), STATE, { mode: 0o600 });
  await t.rejects(removeFromHost(config, host.where), {
    ...{ code: 'EDW_ERR_STATE_READ', message: /^the rules are gone/, mend: /run this again/ },
  });
  t.notMatch(await rules(), /EW-/);
});

t.test('pipes that somebody holds open, in the place of every file, keep root from nothing', async (t) => {
  const { host, config, apply, rules } = await place(t);
  const { stateDir } = config;
  await apply();
  for (const name of ['lock', 'state.json', 'identity.json']) {
    const pipe = join(stateDir, name);
    execFileSync('mkfifo', ['-m', '600', pipe]);
    await chown(pipe, AGENT, AGENT);
    const held = openSync(pipe, constants.O_RDWR);
    t.teardown(() => closeSync(held));
  }
  t.match(await removeFromHost(config, host.where), { left: [] });
  t.notMatch(await rules(), /EW-/);
  await t.rejects(readIdentity(stateDir), { code: 'EDW_ERR_HOST_IDENTITY', message: /regular file/ });
});

t.test('a lock that can not be taken is told: an agent that goes without one would put the rules back', async (t) => {
  const { host, config, apply, rules } = await place(t);
  await apply();
  await chmod(config.stateDir, 0o500);
  const { left } = await removeFromHost(config, host.where);
  t.match(left, [/^a lock that can't be taken.*puts the rules back$/]);
  t.notMatch(await rules(), /EW-/);
});

t.test('a folder that belongs to nobody but root, or is not there, keeps no rule', async (t) => {
  const { host, config, roots, apply, rules } = await place(t);
  for (const stateDir of [roots, join(roots, 'none')]) {
    await apply();
    t.ok((await removeFromHost({ ...config, stateDir }, host.where)).rules > 20, stateDir);
    t.notMatch(await rules(), /EW-/, stateDir);
    t.strictSame(await readdir(roots), [], 'and nothing is written');
  }
});

t.test('without ipset the rules go', async (t) => {
  const { host, config, roots, apply, rules } = await place(t);
  await apply();
  const tools = (await host.run('sh', '-c', 'ls -d /usr/sbin/ip*tables-* /usr/bin/cat')).trim().split('\n');
  for (const tool of tools) await symlink(tool, join(roots, tool.split('/').at(-1) ?? ''));
  const { rules: count, left } = await removeFromHost(config, [...host.where, 'env', `PATH=${roots}`]);
  t.ok(count > 20);
  t.match(left, [/^sets, if there are any/]);
  t.notMatch(await rules(), /EW-/);
});
