/**
 * What a point's rules and sets differ in from what was applied, as far as it was looked at: each look is of rules alone, of
 * headers of sets, or of everything that `inspect` reads. What was not looked at stays as it was known.
 */
import type { HostPoint } from '../../driver/index.ts';

export type Part = 'rules' | 'sets' | 'whole';

export interface Findings {
  /** Empty where nothing is known to differ. With `mend` rules are put back at once. */
  look(parts: ReadonlySet<Part>, mend: boolean): Promise<Found>;
  /** Another policy is in force, or the same one anew. */
  forget(): void;
}

export interface Found {
  words: string[];
  /** Rules are among it: then it may be known who wrote them. */
  rules: boolean;
}

export function createFindings(point: HostPoint): Findings {
  let rules: string[] = [];
  /** Whatever `inspect` saw. */
  let inspected: string[] = [];

  async function inspect(): Promise<string[]> {
    const actual = await point.inspect();
    return actual.state === 'empty' ? ['our rules are gone'] : actual.drift;
  }

  async function lookAtSets(whole: boolean): Promise<void> {
    if (whole || inspected.length > 0 || (await point.checkSets()).length > 0) inspected = await inspect();
  }

  return {
    look: async (parts, mend) => {
      const whole = parts.has('whole');
      if (whole || parts.has('rules')) rules = await point.checkRules(mend);
      // Whoever repairs applies everything now: to read sets first would only take time.
      const enough = mend && rules.length > 0;
      if (!enough && (whole || parts.has('sets'))) await lookAtSets(whole);
      return { words: [...new Set([...rules, ...inspected])], rules: rules.length > 0 };
    },
    forget: () => {
      [rules, inspected] = [[], []];
    },
  };
}
