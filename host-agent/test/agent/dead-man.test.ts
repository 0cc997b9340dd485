/** What changed goes back where the service can't be reached afterwards; on real rules, by a clock that the test moves. */
import { generateSigningKey } from '@edgeward/policy-format';
import { type Clock, createLogger } from '@edgeward/runtime';
import { requireHosts, startHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createHostPoint, createNetfilter, createToolRun } from '../../driver/index.ts';
import { signHostPolicy } from '../../protocol/index.ts';
import { readInForce } from '../../src/in-force.ts';
import { openLastKnown } from '../../src/last-known.ts';
import type { Surroundings } from '../../src/safety/judgement.ts';
import { createStanding } from '../../src/standing.ts';
import { createTakeOver, type TakeOver } from '../../src/take-over.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

requireHosts(t);

const key = await generateSigningKey();
const [FRIEND, OTHER] = ['10.1.0.5', '10.2.0.5'];
const PORT = 'tcp/5432';

/** Time stands still until it is moved, and what is due then runs in order. */
function handMoved(): Clock & { move(ms: number): Promise<void>; step(ms: number): void } {
  let [nowMs, stepMs] = [Date.UTC(2026, 10, 23), 0];
  let waiting: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs + stepMs,
    after(delayMs, run) {
      const one = { atMs: nowMs + delayMs, run };
      waiting.push(one);
      return () => {
        waiting = waiting.filter((it) => it !== one);
      };
    },
    step: (ms) => {
      stepMs += ms;
    },
    async move(ms) {
      const endMs = nowMs + ms;
      for (let turns = 0; turns < 10_000; turns += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        const [next] = waiting.filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.atMs);
        waiting = waiting.filter((it) => it !== next);
        next.run();
      }
      nowMs = endMs;
    },
  };
}

interface Scene {
  takeOver: TakeOver;
  clock: ReturnType<typeof handMoved>;
  /** Whether the service can be reached over a new connection. */
  service: { there: boolean; reached: boolean };
  around: Omit<Surroundings, 'enforcing'>;
  offer(revision: number, allow: string[]): Promise<string>;
  verdicts(): Promise<string[]>;
  /** As after a boot: no rule is there. */
  clear(): Promise<void>;
  tools: { missing: boolean };
  /** The same host, by an agent that was started anew. */
  again(): Promise<Scene>;
}

async function scene(t: Test): Promise<Scene> {
  const host = await startHost(t);
  await host.probe().listen(PORT);
  const tools = { missing: false };
  const [there, away] = [createToolRun({ where: host.where }), createToolRun({ where: ['/nowhere/to-be-found'] })];
  const netfilter = createNetfilter('nft', (call) => (tools.missing ? away(call) : there(call)));
  const clear = async (): Promise<void> => {
    for (const program of ['iptables-nft', 'ip6tables-nft'])
      for (const words of ['-F', '-X']) await host.run(program, words);
  };
  const stateDir = t.testdir({});
  const service = { there: true, reached: true };
  const around = { kubernetes: null, sessions: [], servicePort: null };

  async function begin(): Promise<Scene> {
    const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
    const known = await openLastKnown({
      ...{ stateDir, aud: 'host-db', keys: () => [key.publicKey] },
      onDamage: (words) => t.fail(words),
    });
    const clock = handMoved();
    const takeOver = createTakeOver({
      ...{ aud: 'host-db', keys: () => [key.publicKey], known, clock, logger: createLogger({ level: 'silent' }) },
      standing: createStanding({ point, netfilter }),
      surroundings: async () => around,
      inForce: () => readInForce(netfilter),
      wasReached: () => service.reached,
      reach: () => (service.there ? Promise.resolve() : Promise.reject(new Error('nobody answers'))),
      onChanged: () => {},
    });
    t.teardown(takeOver.close);
    await takeOver.restore();
    const offer = async (revision: number, allow: string[]): Promise<string> => {
      const policy = hostPolicy({ revision, allow });
      return takeOver.offer(await signHostPolicy(policy, new Date(clock.now()).toISOString(), key), revision);
    };
    const verdicts = (): Promise<string[]> =>
      host.call([FRIEND, OTHER].map((from) => ({ from, to: '172.31.255.1', port: PORT })));
    return { takeOver, clock, service, around, offer, verdicts, clear, tools, again: begin };
  }
  return begin();
}

/** Until what was begun in the agent has come to its end: `settle` waits in the same queue. */
const settled = async ({ takeOver, clock }: Scene): Promise<void> => {
  await clock.move(0);
  await takeOver.settle();
};

t.test('a policy under which the service is reached stays', async (t) => {
  const here = await scene(t);
  await here.offer(1, [FRIEND]);
  await settled(here);
  here.service.there = false;
  await here.clock.move(3_600_000);
  await settled(here);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 1 } });
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'its absence later on changes nothing');
});

t.test(
  'the first policy goes back where the service is not reached any more, and not again before a newer one',
  async (t) => {
    const here = await scene(t);
    here.service.there = false;
    await here.offer(1, [FRIEND]);
    t.strictSame(await here.verdicts(), ['open', 'silent']);
    await here.clock.move(59_000);
    await settled(here);
    t.match(here.takeOver.view(), { state: 'applied' }, 'it has a minute');
    await here.clock.move(2_000);
    await settled(here);
    t.match(here.takeOver.view(), {
      state: 'rolled-back',
      applied: null,
      nack: { revision: 1, code: 'EDW_ERR_HOST_ROLLED_BACK' },
    });
    t.strictSame(await here.verdicts(), ['open', 'open'], 'as before the first');

    here.service.there = true;
    await here.offer(1, [FRIEND]);
    t.match(here.takeOver.view(), { state: 'rolled-back' });
    t.strictSame(await here.verdicts(), ['open', 'open'], 'the same one is not applied again');
    const later = await here.again();
    t.match(later.takeOver.view(), { state: 'rolled-back', nack: { code: 'EDW_ERR_HOST_ROLLED_BACK' } });
    await later.offer(1, [FRIEND]);
    t.strictSame(await later.verdicts(), ['open', 'open'], 'also not by an agent that was started anew');
    await later.offer(2, [FRIEND]);
    t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
    t.strictSame(await later.verdicts(), ['open', 'silent'], 'a newer one is');
  },
);

t.test('a later policy goes back to the one before it, which an agent started anew keeps', async (t) => {
  const here = await scene(t);
  await here.offer(1, [FRIEND]);
  await settled(here);
  here.service.there = false;
  await here.offer(2, [OTHER]);
  t.strictSame(await here.verdicts(), ['silent', 'open']);
  await here.clock.move(61_000);
  await settled(here);
  t.match(here.takeOver.view(), {
    state: 'rolled-back',
    applied: { revision: 1 },
    mode: 'enforce',
    nack: { revision: 2 },
  });
  t.strictSame(await here.verdicts(), ['open', 'silent']);
  const later = await here.again();
  t.match(later.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 } });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('of two policies within a minute both go back', async (t) => {
  const here = await scene(t);
  await here.offer(1, [FRIEND]);
  await settled(here);
  here.service.there = false;
  await here.offer(2, [OTHER]);
  await here.clock.move(30_000);
  await here.offer(3, [FRIEND, OTHER]);
  await here.clock.move(61_000);
  await settled(here);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 }, nack: { revision: 3 } });
  t.strictSame(await here.verdicts(), ['open', 'silent']);
});

t.test('an agent that was killed within the minute goes on counting, whatever the clock says', async (t) => {
  const here = await scene(t);
  await here.offer(1, [FRIEND]);
  await settled(here);
  here.service.there = false;
  await here.offer(2, [OTHER]);
  const later = await here.again();
  for (const ms of [-10 * 365 * 86_400_000, 20 * 365 * 86_400_000]) later.clock.step(ms);
  await settled(later);
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 } }, 'a step of the clock is no time');
  await later.clock.move(61_000);
  await settled(later);
  t.match(later.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 } });
});

t.test('where the service was not reached before, nothing goes back', async (t) => {
  const here = await scene(t);
  here.service.there = false;
  here.service.reached = false;
  await here.offer(1, [FRIEND]);
  await here.clock.move(120_000);
  await settled(here);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 1 } });
});

t.test('what would cut a session is observed, and enforced once the session is over', async (t) => {
  const here = await scene(t);
  here.around.sessions = [{ localPort: 22, peer: '203.0.113.9' }];
  await here.offer(1, [FRIEND]);
  t.match(here.takeOver.view(), {
    state: 'observed',
    mode: 'observe',
    nack: { revision: 1, code: 'EDW_ERR_HOST_WOULD_CUT' },
  });
  t.strictSame(await here.verdicts(), ['open', 'open'], 'nobody is cut');
  const later = await here.again();
  await settled(later);
  t.match(
    later.takeOver.view(),
    { state: 'observed', nack: { code: 'EDW_ERR_HOST_WOULD_CUT' } },
    'also by an agent started anew',
  );
  later.around.sessions = [];
  await settled(later);
  t.match(later.takeOver.view(), { state: 'applied', mode: 'enforce', nack: null });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('a node of Kubernetes is observed', async (t) => {
  const here = await scene(t);
  here.around.kubernetes = 'there is a chain KUBE-FORWARD';
  await here.offer(1, [FRIEND]);
  t.match(here.takeOver.view(), { state: 'observed', mode: 'observe', nack: { code: 'EDW_ERR_HOST_KUBERNETES' } });
  t.strictSame(await here.verdicts(), ['open', 'open']);
});

t.test('last-known-good that could not be applied at the start is applied when that is possible', async (t) => {
  const here = await scene(t);
  await here.offer(1, [FRIEND]);
  await here.clear();
  here.tools.missing = true;
  const later = await here.again();
  t.match(later.takeOver.view(), { applied: null });
  await later.clock.move(600_000);
  await settled(later);
  t.strictSame(await later.verdicts(), ['open', 'open'], 'nothing can be done yet');
  here.tools.missing = false;
  await later.takeOver.settle();
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 1 } });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('a policy that was taken over before is taken over again without a write', async (t) => {
  const here = await scene(t);
  await here.offer(1, [FRIEND]);
  const before = here.takeOver.view();
  t.equal(await here.offer(1, [FRIEND]), 'settled');
  t.strictSame(here.takeOver.view(), before);
});
