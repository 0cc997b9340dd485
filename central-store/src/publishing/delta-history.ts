/**
 * What changed at one point, revision by revision, as far back as it is kept: the way from any of these to the newest one
 * is composed when somebody asks. It knows members only; a change of the rules is a step like any other, as the head that
 * goes with a delta names the rules.
 */
import { type Cursor, composeOperations, type DeltaOperation } from '@edgeward/policy-format';

export interface DeltaHistory {
  /** The way from `from` to what was published with it. */
  add(from: Cursor, operations: readonly DeltaOperation[]): void;
  /** Operations from this state to the newest; null where it is not known any more, or never was. */
  since(from: Cursor): DeltaOperation[] | null;
  readonly steps: number;
}

interface Step {
  from: Cursor;
  operations: readonly DeltaOperation[];
  /** Addresses in it. */
  weight: number;
}

export function createDeltaHistory(options: { maxSteps: number; maxWeight: number }): DeltaHistory {
  const steps: Step[] = [];
  let weight = 0;
  return {
    add(from, operations) {
      const step = { from, operations, weight: weightOf(operations) };
      steps.push(step);
      weight += step.weight;
      // A way that weighs more than a snapshot is no short cut.
      while (steps.length > options.maxSteps || weight > options.maxWeight) {
        const oldest = steps.shift();
        if (oldest === undefined) break;
        weight -= oldest.weight;
      }
    },
    since(from) {
      const at = steps.findIndex((step) => isSameCursor(step.from, from));
      if (at === -1) return null;
      const way = steps.slice(at).map(({ operations }) => operations);
      return way.length === 1 ? [...(way[0] ?? [])] : composeOperations(way);
    },
    get steps() {
      return steps.length;
    },
  };
}

export function isSameCursor(a: Cursor, b: Cursor): boolean {
  return a.revision === b.revision && a.epoch === b.epoch && a.stateRoot === b.stateRoot;
}

function weightOf(operations: readonly DeltaOperation[]): number {
  return operations.reduce((sum, { add, remove }) => sum + add.length + remove.length, 0);
}
