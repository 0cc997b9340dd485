/**
 * The sets that rules name as they stood after the last apply of this process, by their headers alone: one program, and a
 * member exchanged for another one is not seen. What differs here is a reason to inspect, and no verdict.
 */
import { isOwnSet } from './host-state.ts';
import type { Netfilter } from './netfilter/index.ts';

export interface StandingSets {
  /** An apply begins: what stands is another thing from now on. */
  forget(): void;
  /** Names of sets that are gone or count otherwise, each change once. The first look after an apply takes what it finds. */
  look(): Promise<string[]>;
}

export function createStandingSets(netfilter: Netfilter): StandingSets {
  let standing: ReadonlyMap<string, string> | null = null;
  return {
    forget: () => {
      standing = null;
    },
    look: async () => {
      const own = (await netfilter.setHeaders()).filter(({ name }) => isOwnSet(name));
      // One that no rule names judges nothing, and goes when the kernel lets go of it.
      const named = own.filter(({ references }) => references > 0);
      const found = new Map(own.map((header) => [header.name, textOf(header)]));
      const changed = [...(standing ?? [])].flatMap(([name, text]) => (found.get(name) === text ? [] : [name]));
      standing = new Map(named.map((header) => [header.name, textOf(header)]));
      return changed;
    },
  };
}

function textOf({ type, maxelem, entries }: { type: string; maxelem: number; entries: number }): string {
  return `${type} ${maxelem} ${entries}`;
}
