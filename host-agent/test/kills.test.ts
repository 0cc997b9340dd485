/** kill -9 at the writes of an apply, at every one in a soak: the host judges by the old policy or the new one, and the next process finishes it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t from 'tap';
import { startable } from '../../test/kit/program.ts';
import { type Backend, createHostPoint, createNetfilter, createToolRun } from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import type { Moment } from './fixtures/dying-apply.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';
import { readOwnState } from './fixtures/host-own-state.ts';
import { RUNS, seeded } from './fixtures/seeded.ts';

requireHosts(t);
t.jobs = 2;
const SCRIPT = startable('host-agent/test/fixtures/dying-apply.ts');
const MAX_WRITES = 20;

/** More than a pipe holds, so that a writer that dies leaves a set half filled. */
const many = Array.from({ length: 3000 }, (_, n) => `10.${n >> 7}.${(n & 127) * 2}.0/24`);
const policyA = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
const policyB = hostPolicy({ revision: 2, allow: [...many, '2001:db8:2::/48'] });

async function waitForOrphans(host: TestHost): Promise<void> {
  const name = host.where.at(-1) ?? '';
  for (let looks = 0; looks < 1_200; looks += 1) {
    const child = spawn('/usr/sbin/ip', ['netns', 'pids', name], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [pids] = await Promise.all([child.stdout.toArray(), once(child, 'close')]);
    if (pids.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('a program on the host did not end');
}

async function dyingApply(host: TestHost, backend: Backend, file: string, n: number, moment: Moment): Promise<boolean> {
  const args = ['--conditions=edgeward-source', SCRIPT, host.where.join(' '), backend, file, String(n), moment];
  // Half of what a process takes to start is the same each time.
  const env = { NODE_COMPILE_CACHE: join(dirname(file), 'compiled'), ...process.env };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 240_000 });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  await waitForOrphans(host);
  return signal === 'SIGKILL';
}

const EVERY = [
  ['nft', 'before'],
  ['nft', 'during'],
  ['nft', 'after'],
  ['legacy', 'before'],
  ['legacy', 'during'],
  ['legacy', 'after'],
] as const;

const random = seeded(t);
/** Every second write, from the first or from the second one; a soak takes them all. */
const left = random() < 0.5 ? 0 : 1;
const isLeftOut = (n: number): boolean => RUNS === 1 && n % 2 === left;

/** One of each backend, drawn anew each time; a soak takes them all. */
function sampled(): (typeof EVERY)[number][] {
  if (RUNS > 1) return [...EVERY];
  return [EVERY[Math.floor(random() * 3)], EVERY[3 + Math.floor(random() * 3)]].filter((it) => it !== undefined);
}

for (const [backend, moment] of sampled()) {
  t.test(
    `killed ${moment} ${RUNS === 1 ? 'every second' : 'each'} write (${backend})`,
    { timeout: 400_000 },
    async (t) => {
      const file = `${t.testdir()}/policy.json`;
      writeFileSync(file, JSON.stringify(policyB));
      const host = await startHost(t);
      const open = (): ReturnType<typeof createHostPoint> =>
        closedWith(
          t,
          createHostPoint({
            name: 'host-db',
            options: HOST_OPTIONS,
            netfilter: createNetfilter(backend, createToolRun({ where: host.where })),
          }),
        );
      await open().apply(policyB);
      const wanted = await readOwnState(host, backend);
      let [kills, halves] = [0, 0];
      for (let n = 1; n <= MAX_WRITES; n += 1) {
        if (isLeftOut(n)) continue;
        await clear(host, backend);
        await open().apply(policyA);
        if (!(await dyingApply(host, backend, file, n, moment))) break;
        kills = n;
        const found = await open().inspect();
        if (found.state === 'loaded' && found.unfinished.length > 0) halves += 1;
        const held = found.state === 'loaded' ? [found.revision, found.hash, found.drift] : [];
        const whole = [policyA, policyB].map(({ revision, hash }) => JSON.stringify([revision, hash, []]));
        t.ok(whole.includes(JSON.stringify(held)), `write ${n}: A or B, whole (${JSON.stringify(found)})`);
        const heir = open();
        await heir.apply(policyB);
        await heir.settled();
        t.strictSame(await readOwnState(host, backend), wanted, `write ${n}: the next process makes it B`);
      }
      t.comment(`the last write that was cut is number ${kills}, ${halves} left something to finish`);
      t.ok(kills >= 5 && kills < MAX_WRITES - 1, 'writes were cut up to the last one');
    },
  );
}

async function clear(host: TestHost, backend: Backend): Promise<void> {
  for (const program of ['iptables', 'ip6tables'])
    for (const verb of ['-F', '-X']) await host.run(`${program}-${backend}`, verb);
  for (let looks = 0; looks < 40; looks += 1) {
    const done = await host.run('ipset', 'destroy').then(
      () => true,
      () => false,
    );
    if (done) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('sets stay in use');
}
