/**
 * A layout whose sets have other names: those that stand in the kernel and have grown, or free ones. The rules that name them,
 * and their hashes, follow. Pure.
 */
import type { FamilyLayout } from './host-layout.ts';
import { ruleOf } from './rule.ts';

export function renamed(layout: FamilyLayout, names: ReadonlyMap<string, string>): FamilyLayout {
  if ([...names].every(([one, other]) => one === other)) return layout;
  const nameOf = (name: string): string => names.get(name) ?? name;
  return {
    ...layout,
    sets: layout.sets
      .map((set) => ({ ...set, name: nameOf(set.name) }))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    chains: layout.chains.map(({ name, rules }) => ({
      name,
      rules: rules.map((rule) => (rule.args.includes('--match-set') ? ruleOf(rule.args.map(nameOf)) : rule)),
    })),
  };
}
