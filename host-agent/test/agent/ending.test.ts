/** In which order an agent ends, and what that is for. */
import { cp } from 'node:fs/promises';
import { createLifecycle, createLogger, systemClock } from '@edgeward/runtime';
import { HOST_ADDRESSES, requireHosts, startHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createToolRun, type RunTool } from '../../driver/index.ts';
import { readAgentConfig } from '../../src/config.ts';
import { createDenials, type HostDenials } from '../../src/denials/index.ts';
import { orderedEnd } from '../../src/ending.ts';
import { openHost } from '../../src/open-host.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';

requireHosts(t);

const logger = createLogger({ level: 'silent' });

function lifecycleOf(t: Test) {
  const lifecycle = createLifecycle(logger, { deadlineMs: 60_000 });
  t.teardown(lifecycle.release);
  return lifecycle;
}

t.test('what writes rules ends before what counts, and both before the lock, whichever began first', async (t) => {
  const lifecycle = lifecycleOf(t);
  const end = orderedEnd(lifecycle);
  const closed: string[] = [];
  for (const part of ['service link', 'state lock', 'point', 'policy', 'guard', 'denials', 'following'] as const)
    end(part, async () => {
      // Who did not wait for it would come first.
      await new Promise((resolve) => setImmediate(resolve));
      closed.push(part);
    });
  await lifecycle.shutdown('test');
  t.strictSame(closed, ['following', 'guard', 'policy', 'point', 'denials', 'state lock', 'service link']);
  end('guard', () => void closed.push('late'));
  t.equal(closed.at(-1), 'late', 'what begins in the end is closed at once');
});

interface Moment {
  readonly come: Promise<void>;
  now(): void;
}

function moment(): Moment {
  let now = (): void => {};
  const come = new Promise<void>((resolve) => {
    now = resolve;
  });
  return { come, now };
}

t.test('what is denied while a last policy is applied is counted', async (t) => {
  const host = await startHost(t);
  const there = createToolRun({ where: host.where });
  const [ending, allowed] = [moment(), moment()];
  t.teardown(allowed.now);
  let isHeld = false;
  const run: RunTool = async (call) => {
    if (isHeld && call.program.endsWith('tables-nft-restore')) await allowed.come;
    return there(call);
  };
  const folder = t.testdir({ state: {}, run: {}, left: {} });
  const [stateDir, runtimeDir] = [`${folder}/state`, `${folder}/run`];
  const config = readAgentConfig({ value: { stateDir, runtimeDir }, file: 'agent.yaml', env: {} });
  const { point, netfilter, tellRetired } = await openHost('host-db', config, run);
  const open = async (stateDir: string): Promise<HostDenials> => {
    const denials = await createDenials({
      ...{ stateDir, runtimeDir, netfilter, clock: systemClock, logger, where: host.where },
      ...{ send: () => Promise.reject(new Error('the service is away')), windowMs: 3_600_000, ulogdFolders: [] },
    });
    t.teardown(denials.close);
    return denials;
  };
  const denials = await open(stateDir);
  tellRetired(denials.countersRetired);
  await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));

  const lifecycle = lifecycleOf(t);
  const end = orderedEnd(lifecycle);
  isHeld = true;
  const applying = point.apply(hostPolicy({ revision: 2, allow: ['10.2.0.0/16'] }));
  // What an end of the process would leave.
  end('state lock', () => cp(stateDir, `${folder}/left`, { recursive: true }));
  end('denials', denials.close);
  end('point', point.close);
  end('policy', async () => {
    ending.now();
    await applying;
  });
  const ended = lifecycle.shutdown('test');
  await ending.come;
  await host.call(
    Array.from({ length: 3 }, (_, n) => ({
      from: `203.0.113.${n + 1}`,
      to: HOST_ADDRESSES.inet,
      port: 'udp/5999',
    })),
  );
  allowed.now();
  t.match(await ended, { unclosed: [] });
  t.equal((await open(`${folder}/left`)).counters().denied, 3, 'and kept for who starts next');
});
