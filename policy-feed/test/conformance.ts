/**
 * What every transport is held to, over a real far side. `openStage` gives a fresh one to each claim: a store with a point
 * in it, and the transport that leads to it. A claim that a stage has no means for is not run, and says so.
 */
import type { Test } from 'tap';
import { carrying } from './conformance/carrying.ts';
import { following } from './conformance/following.ts';
import { misbehaving } from './conformance/misbehaving.ts';
import type { MakeClaim, Stage } from './conformance/stage.ts';

export type { Stage } from './conformance/stage.ts';

export async function transportConformance(
  t: Test,
  name: string,
  openStage: (t: Test) => Promise<Stage>,
): Promise<void> {
  const claim: MakeClaim = (text, run, lacks = () => null) =>
    t.test(`${name}: ${text}`, async (t) => {
      const stage = await openStage(t);
      const missing = lacks(stage);
      if (missing === null) await run(t, stage);
      else t.pass(`not run: ${missing}`);
    });
  await carrying(claim);
  await misbehaving(claim);
  await following(claim);
}
