/** Who holds the state of a host while its rules are written; and last-known-good, which waits for nobody who does not run. */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, issueCertificate } from '@edgeward/certificates';
import { generateSigningKey } from '@edgeward/policy-format';
import { createLifecycle, createLogger, takeStateLock } from '@edgeward/runtime';
import { requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { startable } from '../../../test/kit/program.ts';
import { createNetfilter, createToolRun } from '../../driver/index.ts';
import { signHostPolicy } from '../../protocol/index.ts';
import { NO_STATE } from '../../src/agent-state.ts';
import { type AgentConfig, readAgentConfig } from '../../src/config.ts';
import { identityFrom, writeIdentity } from '../../src/identity.ts';
import { readInForce } from '../../src/in-force.ts';
import { removeFromHost, restoreHost, startAgent } from '../../src/index.ts';
import { openLastKnown } from '../../src/last-known.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';

requireHosts(t);

const POINT = 'host-db';
const NOBODY = 65_534;
const logger = createLogger({ level: 'silent' });
const policy = hostPolicy({ revision: 3, allow: ['10.1.0.0/16'] });
const ref = { revision: policy.revision, hash: policy.hash };
const MAIN = startable('cli/src/agent/main.ts');
const execute = promisify(execFile);
const IN_USE = { code: 'EDW_ERR_STATE_IN_USE' };

interface Host {
  config: AgentConfig;
  host: TestHost;
  /** The revision that the kernel has. */
  standing(): Promise<number | null>;
  /** The agent to where it would go on by itself, and its end. */
  start(): Promise<void>;
  restore(): ReturnType<typeof restoreHost>;
}

/** A host that knows a policy, after a boot: no rule is there, and no service either. */
async function knowing(t: Test): Promise<Host> {
  const host = await startHost(t);
  // Not below the folder of these sources: whom a folder belongs to is judged by those above it too.
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-lock-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  for (const name of ['state', 'run', 'service']) await mkdir(`${folder}/${name}`);
  const [stateDir, runtimeDir] = [`${folder}/state`, `${folder}/run`];
  const config = readAgentConfig({ value: { stateDir, runtimeDir }, file: 'agent.yaml', env: {} });
  const key = await generateSigningKey();
  const authority = await createAuthority(`${folder}/service`);
  const uris = [`urn:edgeward:point:${POINT}`];
  const issued = await issueCertificate(authority, { uris, days: 1 });
  const names = { v: 1 as const, point: POINT, service: ['https://127.0.0.1:9'], signingKeys: [key.publicKey] };
  await writeIdentity(
    stateDir,
    identityFrom({ ...names, certificate: issued.certificate, authority: authority.certificate }, issued.key),
  );
  const known = await openLastKnown({ stateDir, aud: POINT, keys: () => [key.publicKey], onDamage: t.fail });
  await known.keep(ref, await signHostPolicy(policy, '2026-11-23T00:00:00.000Z', key));
  await known.switchTo({ ...NO_STATE, current: ref });
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  return {
    ...{ config, host },
    standing: async () => (await readInForce(netfilter))?.revision ?? null,
    async start() {
      const lifecycle = createLifecycle(logger);
      t.teardown(lifecycle.release);
      try {
        await startAgent({ config, version: '0', logger, lifecycle, where: host.where });
      } finally {
        await lifecycle.shutdown('test');
      }
    },
    restore: () => restoreHost(config, logger, host.where),
  };
}

t.test('beside a process that has the state nothing is written', async (t) => {
  const { config, standing, start, restore } = await knowing(t);
  const unlock = await takeStateLock(config.stateDir);
  t.teardown(unlock);
  t.equal(await restore(), 'in-use');
  t.equal(await standing(), null);
  await t.rejects(start(), IN_USE);
  t.equal(await standing(), null);
  await unlock();
  t.match(await restore(), ref, 'afterwards it is');
  t.equal(await standing(), 3);
  t.notOk((await readdir(config.stateDir)).includes('lock'), 'and the lock is given back');
});

t.test('the lock of a process that has ended keeps nobody from last-known-good', async (t) => {
  const { config, standing, start, restore } = await knowing(t);
  const locks = ['', '{}', JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1' })];
  for (const lock of locks) {
    await writeFile(`${config.stateDir}/lock`, lock);
    t.match(await restore(), ref, lock);
  }
  await writeFile(`${config.stateDir}/lock`, JSON.stringify({ pid: process.pid, startedAt: '1' }));
  await start();
  t.equal(await standing(), 3, 'another process has its number');
});

t.test('nor does a lock that can not be read; the agent goes no further then', async (t) => {
  for (const way of ['restore', 'start'] as const) {
    const { config, standing, start, restore } = await knowing(t);
    await writeFile(`${config.stateDir}/lock`, '', { mode: 0o600 });
    await chown(config.stateDir, NOBODY, NOBODY);
    if (way === 'restore') t.match(await restore(), ref);
    else await t.rejects(start(), { ...IN_USE, mend: /delete that file/ });
    t.equal(await standing(), 3, way);
  }
});

t.test('nor does a folder that takes no lock', async (t) => {
  const { config, standing, start, restore } = await knowing(t);
  await chown(config.stateDir, NOBODY, NOBODY);
  await chmod(config.stateDir, 0o500);
  t.match(await restore(), ref);
  t.equal(await standing(), 3);
  await start();
  t.notOk((await readdir(config.stateDir)).includes('lock'));
});

t.test('a disk that takes nothing hides no process that has the state', async (t) => {
  const { config, host, standing, start, restore } = await knowing(t);
  const { stateDir } = config;
  t.teardown(await takeStateLock(stateDir));
  await chown(`${stateDir}/lock`, NOBODY, NOBODY);
  await chown(stateDir, NOBODY, NOBODY);
  await chmod(stateDir, 0o500);
  t.equal(await restore(), 'in-use');
  await t.rejects(start(), IN_USE);
  await t.rejects(removeFromHost(config, host.where), { ...IN_USE, mend: /Stop the agent first/ });
  t.equal(await standing(), null);
});

t.test(
  'root that may not become whom the folder belongs to goes on as it is, and looks who has the state',
  async (t) => {
    const { config, host, standing } = await knowing(t);
    const { stateDir, runtimeDir } = config;
    const file = `${runtimeDir}/agent.yaml`;
    await writeFile(file, JSON.stringify({ stateDir, runtimeDir }));
    await chown(stateDir, NOBODY, NOBODY);
    const without = async (caps: string[]): Promise<unknown> => {
      const drop = caps.map((name) => `-${name}`).join();
      const words = ['setpriv', `--inh-caps=${drop}`, `--bounding-set=${drop}`, process.execPath];
      const command = [MAIN, 'agent', 'restore', '--json', '--config', file];
      const [program = '', ...args] = [...host.where, ...words, '--conditions=edgeward-source', ...command];
      return JSON.parse((await execute(program, args)).stdout);
    };
    const unlock = await takeStateLock(stateDir);
    t.teardown(unlock);
    t.match(await without(['setuid', 'setgid']), { restored: null, agentRuns: true });
    t.equal(await standing(), null);
    await unlock();
    for (const caps of [['setuid', 'setgid'], ['setuid'], ['setgid']]) {
      t.match(await without(caps), { restored: ref }, `without ${caps.join()}`);
      t.equal(await standing(), 3);
    }
    t.notOk((await readdir(stateDir)).includes('lock'));
  },
);
