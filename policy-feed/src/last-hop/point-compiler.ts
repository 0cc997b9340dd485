import {
  type CompiledPolicy,
  type CompileMemo,
  compileFault,
  compilePoint,
  type LoadedPolicy,
  nextChangeMs,
  resolveSlice,
  type SliceResolution,
  viewOf,
} from '@edgeward/policy';
import { effectiveRules, type PointState } from '@edgeward/policy-format';
import { EdgewardError, sha256Hex } from '@edgeward/runtime';

/**
 * One verified state of a point, compiled at an instant. What ends by itself (a grant, a network, a break-glass approval)
 * ends here, whether or not anybody can be asked.
 */
export interface PointPolicy {
  state: PointState;
  /** What people approved that this is of; after break-glass the one before it again. */
  version: number;
  policy: CompiledPolicy;
  view: LoadedPolicy;
  resolution: SliceResolution;
  /** When it must be compiled again; null: not before something else is taken over. */
  nextChangeAtMs: number | null;
}

export interface PointCompiler {
  /** Takes over whatever did not change since the last call. Throws EDW_ERR_TOO_FRAGMENTED. */
  compile(state: PointState, nowMs: number): PointPolicy;
}

export function createPointCompiler(point: string): PointCompiler {
  const memo: CompileMemo = { objects: Object.create(null) };
  let before: SliceResolution | undefined;
  return {
    compile(state, nowMs) {
      const { rules, approval, untilMs } = effectiveRules(state, nowMs);
      const resolution = resolveSlice([rules], (group) => state.book.members(group), nowMs, before);
      const policy = compiled(resolution, point, state.head.revision, memo);
      before = resolution;
      return {
        state,
        version: approval.approval.version,
        policy,
        view: viewOf(policy),
        resolution,
        nextChangeAtMs: earlier(nextChangeMs(resolution.model, nowMs), untilMs),
      };
    },
  };
}

function compiled(resolution: SliceResolution, point: string, revision: number, memo: CompileMemo): CompiledPolicy {
  try {
    return compilePoint(resolution, point, { revision, digest: sha256Hex, memo });
  } catch (thrown) {
    const fault = compileFault(thrown);
    if (fault === null) throw thrown;
    throw new EdgewardError(fault.code, `compiling revision ${revision} of ${point}: ${fault.message}`, {
      mend: fault.mend,
      cause: thrown,
    });
  }
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
