import { PARTITION } from '../layout/index.ts';

/** Rules of ours in a virtual server's list, of any version: a newer one takes the place of an older one. */
const OWN = new RegExp(`^/${PARTITION}/eg_enforce_l[47]_v\\d{1,9}$`);

export function isOwnRule(fullPath: string): boolean {
  return OWN.test(fullPath);
}

/** Ours first, others in the order that they have. */
export function withOwnRules(rules: readonly string[], own: readonly string[]): string[] {
  return [...own, ...rules.filter((rule) => !isOwnRule(rule))];
}
