/** What is tried, decided before it is written: over failures half-way, kills, and starts; on real rules. */
import { readFile, writeFile } from 'node:fs/promises';
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import type { AgentState } from '../../src/agent-state.ts';
import { ALL_TOOLS, afterSwitching, FRIEND, NO_TOOLS, OTHER, type Scene, takeOverScene } from './take-over-scene.ts';

requireHosts(t);

const MINUTE = 61_000;
const CODE = 'EDW_ERR_HOST_ROLLED_BACK';

async function stateOf(here: Scene): Promise<AgentState> {
  return JSON.parse(await readFile(`${here.stateDir}/state.json`, 'utf8'));
}

async function confirmed(scene: Promise<Scene>): Promise<Scene> {
  const here = await scene;
  await here.offer(1, [FRIEND]);
  await here.settled();
  return here;
}

async function pass(here: Scene, ms: number): Promise<void> {
  await here.clock.move(ms);
  await here.settled();
}

t.test('what was written whole and could not be read back is tried, when it is offered again', async (t) => {
  for (const reached of [true, false]) {
    const here = await confirmed(takeOverScene(t));
    here.tools.fail = afterSwitching(2);
    t.equal(await here.offer(2, [OTHER]), 'again');
    here.tools.fail = NO_TOOLS;
    t.strictSame(await here.verdicts(), ['silent', 'open'], 'it judges');
    here.service.there = false;
    here.service.reached = reached;
    t.equal(await here.offer(2, [OTHER]), 'settled');
    await pass(here, MINUTE);
    t.match(here.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 }, nack: { code: CODE } });
    t.strictSame(
      await here.verdicts(),
      ['open', 'silent'],
      `the service was ${reached ? '' : 'not '}there at the second`,
    );
  }
});

t.test('so is a first policy, and the one that takes its place', async (t) => {
  const here = await takeOverScene(t);
  here.tools.fail = afterSwitching(1);
  t.equal(await here.offer(1, [FRIEND]), 'again');
  here.tools.fail = NO_TOOLS;
  here.service.there = false;
  t.equal(await here.offer(2, [OTHER]), 'settled');
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', applied: null, nack: { revision: 2, code: CODE } });
  t.strictSame(await here.verdicts(), ['open', 'open'], 'as before the first');
});

t.test('what was enforced and begun to be tried after a refusal to enforce it is tried all the same', async (t) => {
  const here = await takeOverScene(t);
  here.around.sessions = [{ localPort: 22, peer: '203.0.113.9' }];
  await here.offer(1, [FRIEND]);
  await here.settled();
  here.around.sessions = [];
  here.tools.fail = afterSwitching(2);
  await here.settled();
  here.tools.fail = NO_TOOLS;
  t.strictSame(await here.verdicts(), ['open', 'silent']);
  here.service.there = false;
  await pass(here, 5_000);
  t.match(here.takeOver.view(), { state: 'applied', mode: 'enforce' }, 'it is finished');
  await pass(here, MINUTE);
  t.match(here.takeOver.view(), { state: 'rolled-back', mode: 'observe', nack: { revision: 1, code: CODE } });
  t.strictSame(await here.verdicts(), ['open', 'open']);
});

t.test('a host that enforces is not opened after a kill where it is not known what stood before', async (t) => {
  for (const families of [1, 2]) {
    const here = await confirmed(takeOverScene(t));
    await writeFile(`${here.stateDir}/state.json`, '{"v":');
    const lost = await here.again();
    lost.tools.fail = afterSwitching(families);
    t.equal(await lost.offer(2, [OTHER]), 'again');
    lost.tools.fail = NO_TOOLS;
    lost.service.there = false;
    const later = await lost.again();
    t.strictSame(await later.verdicts(), ['silent', 'open'], 'what was begun is finished');
    t.equal((await stateOf(later)).probation, null);
    await pass(later, MINUTE);
    t.strictSame(
      await later.verdicts(),
      ['silent', 'open'],
      `killed after ${families} families, it goes on to enforce`,
    );
    t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
  }
});

t.test('what was begun and killed half-way is tried by the next agent', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = afterSwitching(1);
  await here.offer(2, [OTHER]);
  here.tools.fail = NO_TOOLS;
  here.service.there = false;
  const later = await here.again();
  t.strictSame(await later.verdicts(), ['silent', 'open']);
  await pass(later, MINUTE);
  t.match(later.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 }, nack: { revision: 2, code: CODE } });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('a kill while only the number moves is no change, and nothing goes back', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = afterSwitching(0);
  t.equal(await here.offer(2, [FRIEND]), 'again');
  here.tools.fail = NO_TOOLS;
  here.service.there = false;
  const later = await here.again();
  t.equal((await stateOf(later)).probation, null);
  await pass(later, MINUTE);
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('what the kernel has already is no change, also where the agent could not put it at its start', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = ALL_TOOLS;
  const later = await here.again();
  here.tools.fail = NO_TOOLS;
  later.service.there = false;
  t.equal(await later.offer(1, [FRIEND]), 'settled');
  t.equal((await stateOf(later)).probation, null);
  await pass(later, MINUTE);
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 1 }, nack: null });
});

t.test('a state of an earlier version says nothing of a trial, and starts one count', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = afterSwitching(1);
  await here.offer(2, [OTHER]);
  here.tools.fail = NO_TOOLS;
  const { next, ...rest } = await stateOf(here);
  t.equal(next?.tried, true, 'it stands beside what was begun');
  const earlier = { ...rest, next: { revision: next?.revision, hash: next?.hash } };
  await writeFile(`${here.stateDir}/state.json`, JSON.stringify(earlier));
  const later = await here.again();
  t.strictSame(later.damage, []);
  t.match(later.takeOver.view(), { applied: { revision: 2 } });
  t.equal((await stateOf(later)).probation, null);
});

t.test('an agent that ends again and again within the minute goes back at its third start', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.service.there = false;
  await here.offer(2, [OTHER]);
  let last = here;
  for (const starts of [1, 2]) {
    await pass(last, 40_000);
    last = await last.again();
    t.match(await stateOf(last), { current: { revision: 2 }, probation: { previous: { revision: 1 }, starts } });
    await last.takeOver.restore();
    t.match(await stateOf(last), { probation: { starts } }, 'what is done once more is no start');
  }
  await pass(last, 40_000);
  t.strictSame(await last.verdicts(), ['silent', 'open']);
  last = await last.again();
  t.match(last.takeOver.view(), { state: 'rolled-back', applied: { revision: 1 }, nack: { revision: 2, code: CODE } });
  t.match(last.takeOver.view().nack?.message, /over 3 starts of the agent/);
  t.strictSame(await last.verdicts(), ['open', 'silent']);
  const next = await last.again();
  t.strictSame(await next.verdicts(), ['open', 'silent'], 'and stays back');
});

t.test('a trial that is passed at a later start is over, and a new one counts anew', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.service.there = false;
  await here.offer(2, [OTHER]);
  const later = await (await here.again()).again();
  here.service.there = true;
  await pass(later, 5_000);
  t.equal((await stateOf(later)).probation, null);
  here.service.there = false;
  await later.offer(3, [FRIEND]);
  t.match(await stateOf(later), { probation: { previous: { revision: 2 }, starts: 0 } });
});
