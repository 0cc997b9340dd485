/** Who answers for what stands when an apply failed half-way, a file is damaged, or nothing may be enforced; on real rules. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import type { AgentState } from '../../src/agent-state.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { ALL_TOOLS, afterSwitching, FRIEND, NO_TOOLS, OTHER, type Scene, takeOverScene } from './take-over-scene.ts';

requireHosts(t);

/** Longer than what is overdue waits at first. */
const SOON = 5_000;

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

async function stateOf(here: Scene): Promise<AgentState> {
  return JSON.parse(await readFile(`${here.stateDir}/state.json`, 'utf8'));
}

async function damagePolicy(here: Scene, revision: number): Promise<void> {
  const folder = `${here.stateDir}/policies`;
  for (const name of await readdir(folder))
    if (name.startsWith(`${revision}-`)) await writeFile(`${folder}/${name}`, 'damaged');
}

/** Whatever was written anew has another number. */
async function written(here: Scene): Promise<[string, number][]> {
  const names = ['state.json', ...(await readdir(`${here.stateDir}/policies`)).map((name) => `policies/${name}`)];
  return Promise.all(
    names.toSorted().map(async (name) => [name, (await stat(`${here.stateDir}/${name}`)).ino] as [string, number]),
  );
}

t.test('what got in and was not answered for is finished, whatever is refused meanwhile', async (t) => {
  for (const families of [1, 2]) {
    const here = await confirmed(takeOverScene(t));
    here.tools.fail = afterSwitching(families);
    t.equal(await here.offer(2, [OTHER]), 'again');
    here.tools.fail = NO_TOOLS;
    t.equal(await here.offerBytes(Buffer.from('x\ny'), 3), 'settled', 'another takes its place, and is none');
    await pass(here, SOON);
    const nack = { revision: 3, code: 'EDW_ERR_HOST_POLICY_UNREADABLE' };
    t.match(here.takeOver.view(), { applied: { revision: 2 }, mode: 'enforce', nack }, `after ${families} families`);
    t.strictSame(await here.verdicts(), ['silent', 'open']);
  }
});

t.test('what is said against a policy is over when it was finished', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = afterSwitching(2);
  await here.offer(2, [OTHER]);
  t.match(here.takeOver.view(), { state: 'refused', applied: { revision: 1 }, nack: { revision: 2 } });
  here.tools.fail = NO_TOOLS;
  const changes = here.changes();
  await pass(here, SOON);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 2 }, nack: null });
  t.ok(here.changes() > changes, 'and told');
});

t.test('what got in half and is then replaced by what the driver refuses is undone', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = afterSwitching(1);
  await here.offer(2, [OTHER]);
  here.tools.fail = NO_TOOLS;
  const three = hostPolicy({ revision: 3, allow: [OTHER] });
  const [object] = three.objects;
  const twice = { ...three, objects: object === undefined ? [] : [object, { ...object, name: 'another' }] };
  t.equal(await here.offerPolicy(twice), 'settled');
  t.match(here.takeOver.view(), { nack: { revision: 3, code: 'EDW_ERR_HOST_OBJECTS' } });
  await pass(here, SOON);
  t.match(here.takeOver.view(), { applied: { revision: 1 }, nack: { revision: 3 } });
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'in both families');
  t.match(await stateOf(here), { current: { revision: 1 }, next: null, numberAtLeast: 2 });
});

t.test('beside an intact kernel a damaged policy file leaves the one before it in force, and guarded', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.service.there = false;
  await here.offer(2, [OTHER]);
  await damagePolicy(here, 2);
  const later = await here.again();
  t.equal(later.damage.length, 1, 'it is told');
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 1 }, mode: 'enforce' });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
  t.equal((await stateOf(later)).numberAtLeast, 2, 'under the number that the kernel had');
  const last = await later.again();
  t.strictSame(await last.verdicts(), ['open', 'silent'], 'also by the next agent');
  t.equal(await last.offer(2, [OTHER]), 'settled');
  t.match(last.takeOver.view(), { state: 'applied', applied: { revision: 2 } }, 'and it comes again');
  t.strictSame(await last.verdicts(), ['silent', 'open']);
});

t.test('what the kernel goes on with is reported until something could be put, and why nothing was', async (t) => {
  const here = await confirmed(takeOverScene(t));
  const { applied } = here.takeOver.view();
  here.tools.fail = ({ program }) => program === 'ipset';
  const later = await here.again();
  t.match(later.takeOver.view(), { state: 'refused', applied, nack: { revision: 1 } });
  here.tools.fail = ALL_TOOLS;
  const blind = await later.again();
  t.match(
    blind.takeOver.view(),
    { state: 'refused', applied: null, nack: { revision: 1 } },
    'what can not be read is not',
  );
  here.tools.fail = NO_TOOLS;
  const changes = blind.changes();
  await pass(blind, SOON);
  t.match(blind.takeOver.view(), { state: 'applied', applied, nack: null });
  t.ok(blind.changes() > changes, 'and is told');
});

t.test('what may not be enforced here is written nowhere, however often it is offered, and told once', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.around.kubernetes = 'process 77 is kubelet';
  const [before, changes] = [await written(here), here.changes()];
  for (let offers = 0; offers < 3; offers += 1) {
    t.equal(await here.offer(2, [OTHER]), 'again');
    t.strictSame(await written(here), before);
    t.equal(here.changes(), changes + 1);
  }
  t.match(here.takeOver.view(), { applied: { revision: 1 }, nack: { revision: 2, code: 'EDW_ERR_HOST_KUBERNETES' } });
});

t.test('what could not be applied is written once, however often it is offered', async (t) => {
  const here = await confirmed(takeOverScene(t));
  here.tools.fail = ({ program }) => program.endsWith('-restore');
  t.equal(await here.offer(2, [OTHER]), 'again');
  const before = await written(here);
  for (let offers = 0; offers < 3; offers += 1) {
    t.equal(await here.offer(2, [OTHER]), 'again');
    t.strictSame(await written(here), before);
  }
  await damagePolicy(here, 2);
  t.equal(await here.offer(2, [OTHER]), 'again');
  here.tools.fail = NO_TOOLS;
  t.equal(await here.offer(2, [OTHER]), 'settled');
  await here.clear();
  const later = await here.again();
  t.strictSame(later.damage, [], 'unless what was written is damaged');
  t.match(later.takeOver.view(), { applied: { revision: 2 } });
});
