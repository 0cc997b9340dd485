/** Faults that wait for their call. The first that matches strikes; each counts down for itself and is then gone. */
import type { Fault, FaultKind } from '../simulator.ts';

export interface Faults {
  inject(fault: Fault): void;
  /** What befalls this call, or null. */
  strike(method: string, target: string): FaultKind | null;
  clear(): void;
}

export function createFaults(): Faults {
  let waiting: { fault: Fault; after: number; times: number }[] = [];
  return {
    inject(fault) {
      waiting.push({ fault, after: fault.after ?? 0, times: fault.times ?? 1 });
    },
    strike(method, target) {
      for (const entry of waiting) {
        if (!matches(entry.fault, method, target)) continue;
        if (entry.after > 0) {
          entry.after -= 1;
          continue;
        }
        entry.times -= 1;
        if (entry.times <= 0) waiting = waiting.filter((other) => other !== entry);
        return entry.fault.kind;
      }
      return null;
    },
    clear() {
      waiting = [];
    },
  };
}

function matches(fault: Fault, method: string, target: string): boolean {
  return (fault.method ?? method) === method && target.includes(fault.path ?? '');
}
