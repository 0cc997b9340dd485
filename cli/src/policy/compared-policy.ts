/**
 * One side of a comparison: a policy at one instant with what its points would receive. A directory is refused here for
 * what the sync service refuses it for; what was published is taken as it is, since it was good once.
 */
import {
  compilePoints,
  type FlowSide,
  linkModel,
  pointsOf,
  pointViews,
  type Resolution,
  resolve,
  runPolicyTests,
  type SourceDocument,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import type { Context } from '../frame/command.ts';
import { readPolicy } from './policy-reading.ts';
import { isRefused } from './sound-policy.ts';

/** Only these points; null: every one. */
export type PointFilter = ReadonlySet<string> | null;

/** Null: the policy has errors or its tests fail, and that has been printed; the command ends with 3. */
export async function readDraft(
  context: Context,
  directory: string,
  nowMs: number,
  points: PointFilter,
): Promise<FlowSide | null> {
  const reading = await readPolicy({ ...context, now: () => nowMs }, directory);
  if (await isRefused(context, reading)) return null;
  const { policies, faults } = compileSome(reading.resolution, points);
  const found = [...faults];
  if (found.length === 0) {
    const { findings } = runPolicyTests(reading.resolution, pointViews(reading.resolution, sha256Hex), false);
    found.push(...findings.filter(({ severity }) => severity === 'error'));
  }
  const refused = { ...reading, findings: [...reading.findings, ...found], errors: found.length };
  return (await isRefused(context, refused)) ? null : { resolution: reading.resolution, policies };
}

export function compilePublished(documents: SourceDocument[], nowMs: number, points: PointFilter): FlowSide {
  const resolution = resolve(linkModel(documents, []), nowMs);
  return { resolution, policies: compileSome(resolution, points).policies };
}

function compileSome(resolution: Resolution, only: PointFilter): ReturnType<typeof compilePoints> {
  const points = pointsOf(resolution).filter((point) => only === null || only.has(point));
  return compilePoints(resolution, points, { revision: 0, digest: sha256Hex });
}
