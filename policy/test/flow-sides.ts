/** Sides of a comparison, as tests have them. */
import assert from 'node:assert/strict';
import { type ChangeBounds, compilePoint, type FlowSide, pointsOf, type Resolution, resolve } from '@edgeward/policy';
import { NOW } from './cases/case.ts';
import { digest, soundModel } from './compiled.ts';

export const EVERYTHING: ChangeBounds = { objects: Infinity, changes: Infinity, examples: Infinity };

/** Of every point. */
export function compiledSide(resolution: Resolution): FlowSide {
  const policies = pointsOf(resolution).map((point) => compilePoint(resolution, point, { revision: 0, digest }));
  return { resolution, policies };
}

/** Null where the documents have errors. */
export function sideOf(documents: unknown[]): FlowSide | null {
  const model = soundModel(documents);
  return model === null ? null : compiledSide(resolve(model, Date.parse(NOW)));
}

export function soundSide(documents: unknown[]): FlowSide {
  const side = sideOf(documents);
  assert.ok(side !== null, 'the documents have errors');
  return side;
}
