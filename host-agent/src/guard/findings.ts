/**
 * What a point's rules and sets differ in from what was applied. Three looks, each dearer than the one before: rules alone, then
 * headers of sets, then everything that `inspect` reads. What a look did not look at stays as it was known.
 */
import type { HostPoint } from '../../driver/index.ts';

export type Depth = 'rules' | 'sets' | 'whole';

export interface Findings {
  /** In words; empty where nothing differs. With `mend` rules are put back at once. */
  look(depth: Depth, mend: boolean): Promise<Found>;
  /** Another policy is in force, or the same one anew. */
  forget(): void;
}

export interface Found {
  words: string[];
  /** Rules are among it: then it may be known who wrote them. */
  rules: boolean;
}

export function createFindings(point: HostPoint): Findings {
  /** Only what `inspect` has seen differ, and nobody mended. */
  let inspected: string[] = [];

  async function inspect(): Promise<string[]> {
    const actual = await point.inspect();
    return actual.state === 'empty' ? ['our rules are gone'] : actual.drift;
  }

  return {
    look: async (depth, mend) => {
      const rules = await point.checkRules(mend);
      // Whoever repairs applies everything now: to read sets first would only take time.
      const enough = depth === 'rules' || (mend && rules.length > 0);
      if (!enough && (depth === 'whole' || inspected.length > 0 || (await point.checkSets()).length > 0))
        inspected = await inspect();
      return { words: [...new Set([...rules, ...inspected])], rules: rules.length > 0 };
    },
    forget: () => {
      inspected = [];
    },
  };
}
