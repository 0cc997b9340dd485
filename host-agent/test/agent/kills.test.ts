/** An agent that is killed while it takes policies over: one whole state on disk, one whole policy in the kernel, never less. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { generateSigningKey } from '@edgeward/policy-format';
import { createLogger, systemClock } from '@edgeward/runtime';
import { requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { startable } from '../../../test/kit/program.ts';
import { createHostPoint, createNetfilter, createToolRun } from '../../driver/index.ts';
import { signHostPolicy } from '../../protocol/index.ts';
import { readInForce } from '../../src/in-force.ts';
import { openLastKnown } from '../../src/last-known.ts';
import { createStanding } from '../../src/standing.ts';
import { createTakeOver, type TakeOver } from '../../src/take-over.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';
import { RUNS, seeded } from '../fixtures/seeded.ts';
import { kernelVerdicts } from './kernel-verdicts.ts';

requireHosts(t);

const run = promisify(execFile);
const SCRIPT = startable('host-agent/test/agent/dying-take-over.ts');
const ROUNDS = 5 * RUNS;
/** More than are taken over before the last kill. */
const OFFERS = 20 * ROUNDS;
const key = await generateSigningKey();
/** Allowed by every policy of this test, by some, and by none. */
const [ALWAYS, STRANGER] = ['10.1.0.5', '203.0.113.9'];
const PORT = 'udp/5432';

const policyOf = (revision: number) => hostPolicy({ revision, allow: ['10.1.0.0/16', `10.2.${revision % 250}.0/24`] });
const signed = (revision: number) => signHostPolicy(policyOf(revision), new Date(revision).toISOString(), key);

async function reopen(t: Test, host: TestHost, stateDir: string) {
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
  const keys = () => [key.publicKey];
  const damage: string[] = [];
  const known = await openLastKnown({ stateDir, aud: 'host-db', keys, onDamage: (words) => damage.push(words) });
  const takeOver: TakeOver = createTakeOver({
    ...{ aud: 'host-db', keys, known, clock: systemClock, logger: createLogger({ level: 'silent' }) },
    standing: createStanding({ point, netfilter }),
    surroundings: async () => ({ kubernetes: null, sessions: [], servicePort: null }),
    inForce: () => readInForce(netfilter),
    isReached: () => false,
    reach: () => Promise.resolve(),
    onChanged: () => {},
  });
  t.teardown(async () => {
    await takeOver.close();
    // What is left to be taken away would be tried for a quarter of a minute.
    await point.close();
  });
  return { known, takeOver, point, netfilter, damage };
}

t.test('killed at any moment of taking over, one whole policy judges and one whole state is found', async (t) => {
  const host = await startHost(t);
  await host.probe().listen(PORT);
  const [stateDir, offers] = [`${t.testdirName}/state`, `${t.testdirName}/offers`];
  t.testdir({});
  await mkdir(offers);
  for (let revision = 1; revision <= OFFERS; revision += 1)
    await writeFile(`${offers}/${revision}`, await signed(revision));
  // Half of what a process takes to start is the same each time.
  const env = { NODE_COMPILE_CACHE: `${t.testdirName}/compiled`, ...process.env };
  let floor = 0;
  const random = seeded(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const args = [
      '--conditions=edgeward-source',
      SCRIPT,
      host.where.join(' '),
      stateDir,
      offers,
      JSON.stringify(key.publicKey),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
    t.teardown(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const closed = once(child, 'close');
    // The first one has taken something over, however long that takes; the others are killed at any moment.
    const begun = round === 0 ? 'offered' : 'restored';
    for (let looks = 0; looks < 20_000 && child.exitCode === null && !said.includes(begun); looks += 1) await sleep(5);
    const delayMs = Math.floor(random() * 700);
    await sleep(delayMs);
    child.kill('SIGKILL');
    await closed;
    const moment = `round ${round}, killed after ${delayMs} ms`;
    t.equal(said.split('\n')[0], 'restored', `${moment}: nothing was damaged before`);

    const flows = [ALWAYS, STRANGER].map((from) => ({ from, to: '172.31.255.1', port: PORT }));
    const verdicts = await kernelVerdicts(host, flows);
    const { known, takeOver, point, netfilter, damage } = await reopen(t, host, stateDir);
    const state = known.state();
    if (state.current === null) continue;
    t.strictSame(verdicts, ['open', 'silent'], `${moment}: some whole policy judges`);
    t.ok((state.floor?.revision ?? 0) >= floor, `${moment}: nothing that was believed is forgotten`);
    floor = state.floor?.revision ?? 0;
    await takeOver.restore();
    t.strictSame(damage, [], moment);
    const revision = takeOver.view().applied?.revision;
    t.ok(
      [state.current.revision, state.next?.revision].includes(revision),
      `${moment}: revision ${revision} is one of the two`,
    );
    t.match(await point.inspect(), { state: 'loaded', revision, drift: [] }, moment);
    t.strictSame(new Set((await readInForce(netfilter))?.hashes).size, 1, `${moment}: both families have it`);
    await takeOver.close();
  }
  t.ok(floor > 0, 'kills came in the middle of something');
});

t.test('on a disk without room what is in force stays, and goes on when there is room', async (t) => {
  const host = await startHost(t);
  const mount = t.testdir({});
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'edgeward-test', mount]).catch(
    (cause: unknown) => {
      if (process.env.CI !== undefined) throw cause;
      return null;
    },
  );
  if (mounted === null) {
    t.pass('not run: a file system of its own needs CAP_SYS_ADMIN');
    return;
  }
  t.teardown(() => run('umount', ['--lazy', mount]));
  const { known, takeOver, point } = await reopen(t, host, `${mount}/state`);
  await takeOver.offer(await signed(1), 1);
  t.match(takeOver.view(), { state: 'applied', applied: { revision: 1 } });

  const fill = async (): Promise<void> => {
    for (const size of [65_536, 4_096, 1])
      for (let at = 0; at < 200; at += 1) {
        const full = await writeFile(`${mount}/fill-${size}-${at}`, Buffer.alloc(size)).then(
          () => false,
          () => true,
        );
        if (full) break;
      }
  };
  await fill();
  const before = await readFile(`${mount}/state/state.json`, 'utf8');
  t.equal(await takeOver.offer(await signed(2), 2), 'again', 'it is worth offering again');
  t.match(takeOver.view(), { applied: { revision: 1 }, nack: { revision: 2, code: 'EDW_ERR_STATE_WRITE' } });
  t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [] });
  t.equal(await readFile(`${mount}/state/state.json`, 'utf8'), before, 'the state is whole');

  const anew = await reopen(t, host, `${mount}/state`);
  await anew.takeOver.restore();
  t.match(anew.takeOver.view(), { applied: { revision: 1 } }, 'an agent that starts on it is none the worse');
  t.strictSame(anew.damage, []);

  await run('find', [mount, '-name', 'fill-*', '-delete']);
  t.equal(await takeOver.offer(await signed(2), 2), 'settled');
  t.match(takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
  t.match(known.state(), { current: { revision: 2 } });
});
