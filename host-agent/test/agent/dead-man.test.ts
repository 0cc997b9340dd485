/** What changed goes back where the service can't be reached afterwards; on real rules, by a clock that the test moves. */
import { rm } from 'node:fs/promises';
import { EdgewardError } from '@edgeward/runtime';
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import type { ToolCall } from '../../driver/index.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { ALL_TOOLS, FRIEND, NO_TOOLS, OTHER, type Scene, takeOverScene } from './take-over-scene.ts';

requireHosts(t);

const MINUTE = 61_000;
const CODE = 'EDW_ERR_HOST_ROLLED_BACK';
/** The second family is not switched. */
const HALF = ({ program }: ToolCall): boolean => program === 'ip6tables-nft-restore';

/** A first policy that is confirmed, and then no service. */
async function confirmed(scene: Promise<Scene>): Promise<Scene> {
  const here = await scene;
  await here.offer(1, [FRIEND]);
  await here.settled();
  here.service.there = false;
  return here;
}

async function pass(here: Scene, ms: number): Promise<void> {
  await here.clock.move(ms);
  await here.settled();
}

t.test('a policy under which the service is reached stays', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await pass(here, 3_600_000);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 1 } });
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'its absence later on changes nothing');
});

t.test(
  'the first policy goes back where the service is not reached any more, and not again before a newer one',
  async (t) => {
    const here = await takeOverScene(t);
    here.service.there = false;
    await here.offer(1, [FRIEND]);
    t.strictSame(await here.verdicts(), ['open', 'silent']);
    await pass(here, 59_000);
    t.match(here.takeOver.view(), { state: 'applied' }, 'it has a minute');
    await pass(here, 2_000);
    t.match(here.takeOver.view(), { state: 'rolled-back', applied: null, nack: { revision: 1, code: CODE } });
    t.strictSame(await here.verdicts(), ['open', 'open'], 'as before the first');

    here.service.there = true;
    await here.offer(1, [FRIEND]);
    t.match(here.takeOver.view(), { state: 'rolled-back' });
    t.strictSame(await here.verdicts(), ['open', 'open'], 'the same one is not applied again');
    const later = await here.again();
    t.match(later.takeOver.view(), { state: 'rolled-back', applied: null, nack: { code: CODE } });
    await later.offer(1, [FRIEND]);
    t.strictSame(await later.verdicts(), ['open', 'open'], 'also not by an agent that was started anew');
    await later.offer(2, [FRIEND]);
    t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
    t.strictSame(await later.verdicts(), ['open', 'silent'], 'a newer one is');
  },
);

t.test('a first policy goes back also where the agent is killed before the kernel has it', async (t) => {
  const here = await takeOverScene(t);
  here.service.there = false;
  await here.offer(1, [FRIEND]);
  here.tools.fail = ALL_TOOLS;
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: null }, 'the state says so');
  here.tools.fail = NO_TOOLS;
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'the kernel does not');
  const later = await here.again();
  t.strictSame(await later.verdicts(), ['open', 'open']);
  t.match(later.takeOver.view(), { state: 'rolled-back', applied: null, nack: { revision: 1, code: CODE } });
});

t.test('a later policy goes back to the one before it, which an agent started anew keeps', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await here.offer(2, [OTHER]);
  t.strictSame(await here.verdicts(), ['silent', 'open']);
  await pass(here, MINUTE);
  const back = { state: 'rolled-back', applied: { revision: 1 }, mode: 'enforce', nack: { revision: 2 } };
  t.match(here.takeOver.view(), back);
  t.strictSame(await here.verdicts(), ['open', 'silent']);
  const later = await here.again();
  t.match(later.takeOver.view(), back);
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('changes in a row put nothing off: all go back a minute after the first of them', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await here.offer(2, [OTHER]);
  for (const revision of [3, 4]) {
    await pass(here, 25_000);
    await here.offer(revision, [FRIEND, OTHER, `10.${revision}.0.5`]);
  }
  await pass(here, 9_000);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 4 } }, 'it is not over');
  await pass(here, 2_000);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 }, nack: { revision: 4 } });
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'to what was confirmed');
});

t.test('a later change under which the service is reached confirms what stands', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await here.offer(2, [OTHER]);
  await pass(here, 50_000);
  here.service.there = true;
  await here.offer(3, [FRIEND, OTHER]);
  await here.settled();
  here.service.there = false;
  await pass(here, 3_600_000);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 3 }, nack: null });
  await here.offer(4, [OTHER]);
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 3 } }, 'the next one goes back to it');
});

t.test('who was asked before the last change says nothing of it', async (t) => {
  const here = await confirmed(takeOverScene(t));
  let late = (): void => {};
  here.service.answer = () =>
    new Promise((resolve) => {
      late = resolve;
    });
  await here.offer(2, [OTHER]);
  await here.clock.move(0);
  here.service.answer = () => Promise.reject(new Error('nobody answers'));
  await here.offer(3, [FRIEND, OTHER]);
  late();
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 }, nack: { revision: 3 } });
});

t.test('a service that answers is there, whatever it says', async (t) => {
  const here = await confirmed(takeOverScene(t));
  for (const [at, code] of ['EDW_ERR_SERVICE_BUSY', 'EDW_ERR_SERVICE_ANSWER', 'EDW_ERR_HOST_UNKNOWN'].entries()) {
    here.service.answer = () => Promise.reject(new EdgewardError(code, 'no', { mend: 'none' }));
    await here.offer(2 + at, [OTHER, `10.3.${at}.1`]);
    await pass(here, MINUTE);
    t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 2 + at } }, code);
  }
  here.service.answer = () => Promise.reject(new EdgewardError('EDW_ERR_SERVICE_UNREACHABLE', 'no', { mend: 'none' }));
  await here.offer(9, [FRIEND]);
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 4 } }, 'one that does not is not');
});

t.test('an agent that was killed within the minute goes on counting, whatever the clock says', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await here.offer(2, [OTHER]);
  const later = await here.again();
  for (const ms of [-10 * 365 * 86_400_000, 20 * 365 * 86_400_000]) later.clock.step(ms);
  await later.settled();
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 } }, 'a step of the clock is no time');
  await pass(later, MINUTE);
  t.match(later.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 } });
});

t.test('where the service was away before the change, nothing goes back', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.service.reached = false;
  await here.offer(2, [OTHER]);
  await pass(here, 120_000);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 2 } });
});

t.test('what enforces nothing is never gone back from, and ends the minute of what it replaces', async (t) => {
  for (const mode of ['observe', 'off'] as const) {
    const here = await confirmed(takeOverScene(t));
    await here.offer(2, [OTHER]);
    await here.offerPolicy(hostPolicy({ revision: 3, allow: [OTHER], mode }));
    await pass(here, 120_000);
    t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 3 }, mode, nack: null });
    t.strictSame(await here.verdicts(), ['open', 'open'], `${mode}: nobody is locked out again`);
    await here.offer(4, [FRIEND]);
    await pass(here, MINUTE);
    t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 3 }, mode }, 'it is what comes back');
  }
});

t.test('the same policy under another number is no change', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await here.offer(2, [FRIEND]);
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
});

t.test('a host that enforces is not opened where it is not known what stood before', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await rm(`${here.stateDir}/state.json`);
  const later = await here.again();
  later.service.there = false;
  await later.offer(2, [OTHER]);
  await pass(later, MINUTE);
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 } });
  t.strictSame(await later.verdicts(), ['silent', 'open']);
});

t.test('the way back is found where another policy got in half', async (t) => {
  const here = await confirmed(takeOverScene(t));
  await here.offer(2, [OTHER]);
  here.tools.fail = HALF;
  t.equal(await here.offer(3, [OTHER, '10.3.0.5']), 'again');
  here.tools.fail = NO_TOOLS;
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 } });
  t.strictSame(await here.verdicts(), ['open', 'silent']);
  const later = await here.again();
  t.strictSame(await later.verdicts(), ['open', 'silent'], 'also for an agent started anew');
});

t.test('what got in half, and the service went with it, goes back when it is whole', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = HALF;
  t.equal(await here.offer(2, [OTHER]), 'again');
  here.tools.fail = NO_TOOLS;
  here.service.reached = false;
  t.equal(await here.offer(2, [OTHER]), 'settled');
  t.strictSame(await here.verdicts(), ['silent', 'open']);
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 } });
  t.strictSame(await here.verdicts(), ['open', 'silent']);
});

t.test('what was observed, then enforced, then went back is not enforced again before a newer one', async (t) => {
  const here = await takeOverScene(t);
  here.around.sessions = [{ localPort: 22, peer: '203.0.113.9' }];
  await here.offer(1, [FRIEND]);
  await here.settled();
  here.service.there = false;
  here.around.sessions = [];
  await here.settled();
  t.match(here.takeOver.view(), { state: 'applied', mode: 'enforce' });
  await pass(here, MINUTE);
  const observed = { state: 'rolled-back', applied: { revision: 1 }, mode: 'observe', nack: { code: CODE } };
  t.match(here.takeOver.view(), observed);
  for (let minutes = 0; minutes < 3; minutes += 1) await pass(here, MINUTE);
  t.match(here.takeOver.view(), observed, 'however often it is looked at');
  here.service.there = true;
  await here.offer(2, [FRIEND]);
  t.match(here.takeOver.view(), { state: 'applied', mode: 'enforce', nack: null });
});
