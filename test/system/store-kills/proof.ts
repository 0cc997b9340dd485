/** Rounds of faults on one stage, with everything running all the time, and then the claims. */
import type { StoreStatus } from '@edgeward/central-store';
import type { Test } from 'tap';
import { eventually } from '../waiting.ts';
import { appliedBy, driftTold, recordOf, unrecorded, unrest, witnesses, wrongDenials } from './aftermath.ts';
import { measureAges } from './ages.ts';
import { judgePatterns, judgePublished, type Recovery, recovered } from './claims.ts';
import { points } from './estate.ts';
import type { Fault } from './faults.ts';
import type { Stage } from './stage.ts';
import { type Watch, watchPoint } from './watch.ts';

const REST_MS = 2_500;
const CALM_MS = 1_500;
const VERSION_EVERY_MS = 1_500;

/** Everything runs, and every point has the first version. */
async function begin(stage: Stage, t: Test): Promise<Watch[]> {
  const { store, services, machines, publisher, published, edges } = stage;
  await machines.write();
  await store.start();
  await publisher.publishOne();
  await Promise.all(services.map((service) => service.start()));
  for (const [point, edge] of Object.entries(edges)) {
    await eventually(`${point} has a policy`, async () => {
      const { active } = (await edge.push({ call: 'state' })).body as { active: { revision: number } | null };
      return active !== null && published.at(point, active.revision)?.number === 1 ? active : null;
    });
  }
  const watches = Object.entries(edges).map(([point, edge]) => watchPoint(point, edge));
  t.teardown(() => Promise.all(watches.map((watch) => watch.stop())));
  t.teardown(() => machines.stop());
  t.teardown(() => publisher.stop());
  machines.begin();
  publisher.begin(() => VERSION_EVERY_MS / 2 + stage.dice.below(VERSION_EVERY_MS));
  return watches;
}

export async function prove(t: Test, stage: Stage, rounds: readonly [name: string, fault: Fault][]): Promise<void> {
  const watches = await begin(stage, t);
  const worst = { ms: 0, after: '' };
  const ages = measureAges(stage, watches);
  for (const [name, fault] of rounds) {
    await pause(stage.dice.below(CALM_MS));
    await fault(stage);
    const recovery = await recovered(stage, watches);
    tell(t, name, recovery);
    if ((recovery.tookMs ?? Number.POSITIVE_INFINITY) > worst.ms)
      Object.assign(worst, { ms: recovery.tookMs ?? recovery.allowedMs, after: name });
  }
  t.comment(ages.told());
  t.comment(`the longest recovery took ${Math.round(worst.ms)} ms, after: ${worst.after}`);
  await settle(t, stage, watches);
  await judge(t, stage, watches);
}

function tell(t: Test, name: string, { tookMs, allowedMs, missing }: Recovery): void {
  t.ok(tookMs !== null, `${name}: nobody is older than 15 s after it is well again`, { missing, allowedMs });
  if (tookMs !== null) t.comment(`${name}: all there after ${Math.round(tookMs)} ms`);
}

/** Nothing changes any more, and nothing is done any more. */
async function settle(t: Test, stage: Stage, watches: readonly Watch[]): Promise<void> {
  const { machines, publisher, services, published } = stage;
  await Promise.all([machines.stop(), publisher.stop()]);
  await machines.write();
  await publisher.publishOne();
  tell(t, 'at the end', await recovered(stage, watches));
  t.strictSame(await unrest(stage, REST_MS), [], 'two services beside one another come to rest');
  const newest = points.map((point) => published.newest(point));
  for (const service of services)
    t.strictSame(await appliedBy(service), newest, `${service.name} says that the newest is in force`);
  t.strictSame(await driftTold(services), [], 'neither service takes the other for a change by hand');
  t.strictSame(await complaintsOf(stage), [], 'the store has nothing left to make up for');
  await Promise.all(watches.map((watch) => watch.stop()));
}

/** What only a person could end, or a change that comes later. */
async function complaintsOf({ people, port }: Stage): Promise<string[]> {
  const { json } = await people.ask('flo', port, { path: '/v1/status' });
  const { inventory, behind, unwritten } = json as StoreStatus;
  return [
    ...(inventory.error === null ? [] : [`the inventory is said to be broken: ${inventory.error.message}`]),
    ...(inventory.waiting === null ? [] : ['a change of the inventory waits for a person']),
    ...(behind === 0 ? [] : [`${behind} points are behind`]),
    ...(unwritten === 0 ? [] : [`${unwritten} heads are in no mirror`]),
  ];
}

async function judge(t: Test, stage: Stage, watches: readonly Watch[]): Promise<void> {
  const { published, edges, publisher, services, store } = stage;
  for (const watch of watches) {
    const { point, problems, counts } = watch;
    const seen = judgePatterns(stage, watch);
    t.strictSame(problems, [], `${point} let nobody in who may not, and never went back`);
    t.strictSame(seen.wrong, [], `${point} never held half a policy`);
    t.strictSame(judgePublished(stage, point), [], `what ${point} was given was never half an inventory`);
    const edge = edges[point];
    t.strictSame(
      edge === undefined ? ['no edge'] : await wrongDenials(stage, point, edge),
      [],
      `${point} denied rightly`,
    );
    t.comment(`${point}: ${JSON.stringify(counts)}, ${seen.revisions} revisions seen, ${seen.untold} of them untold`);
  }
  t.strictSame(published.contradictions, [], 'one revision is one state');
  const { checkpoints, contradicted } = await witnesses(stage);
  await Promise.all([store.kill(), ...services.map((service) => service.kill())]);
  const { verification, entries } = await recordOf(stage, checkpoints);
  t.strictSame([verification.problems, contradicted], [[], []], 'the record is what points have seen of it');
  t.strictSame(unrecorded(publisher.acknowledged, entries), [], 'whatever was acknowledged is on the record');
  const halts = entries.filter(({ action }) => action === 'rollout.halt' || action === 'rollout.return');
  t.strictSame(halts, [], 'no roll-out was stopped: nothing was wrong with any version');
  t.comment(
    `${published.count()} heads, ${publisher.version()} versions, ${entries.length} entries, ${checkpoints.length} witnesses; ` +
      `${publisher.acknowledged.length} acknowledged, and ${JSON.stringify(Object.fromEntries(publisher.failures))}`,
  );
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
