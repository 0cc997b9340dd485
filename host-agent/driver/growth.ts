/**
 * A policy that differs from the one in force in nothing but more members: these are added to the sets that stand, whatever
 * their size, and then the rules say so. No rule changes, no counter begins anew, no flow is judged again, and nobody who was
 * let in is not. Anything else is refused here, and becomes new sets and new rules.
 */
import { changedSets, type HostState, type SetState } from './host-state.ts';
import { isCovered } from './layout/covering.ts';
import type { FamilyLayout, HostLayout, SetLayout } from './layout/host-layout.ts';
import type { InForce } from './layout/index.ts';
import { renamed } from './layout/renaming.ts';
import type { SavedRules } from './netfilter/index.ts';
import { ruleChanges } from './rule-writes.ts';
import type { SetContents } from './set-contents.ts';
import { spoken } from './set-writes.ts';

export interface Growth {
  /** The policy by the names of the sets that stand. */
  layout: HostLayout;
  /** Sets of the layout that hold less than they should. */
  sets: { set: SetLayout; lines: string[] }[];
}

/** Each is looked for under every wider prefix. */
const MAX_COVERED = 4096;

/** Null where more is to be done than to add members, or where what stands is not as it was written. */
export function growthOf(
  layoutFor: (inForce: InForce) => HostLayout,
  hash: string,
  before: HostState,
  contents: SetContents,
): Growth | null {
  const inForce = oneInForce(before);
  if (inForce === null) return null;
  const natural = layoutFor({ hash, ...inForce });
  const families = { ...natural.families };
  const sets: Growth['sets'] = [];
  for (const [family, { rules }] of before.families) {
    const standing = asItStands(natural.families[family], rules, natural.generation);
    const added = standing === null ? null : additionsTo(standing.sets, before.sets, contents);
    if (standing === null || added === null) return null;
    families[family] = standing;
    sets.push(...added);
  }
  return { layout: { ...natural, families }, sets };
}

/** What all families agree on; null where they don't, or where somebody changed something. */
function oneInForce(state: HostState): { generation: number; sampled: string } | null {
  const states = [...state.families.values()];
  const [first] = states.flatMap(({ meta }) => meta ?? []);
  if (first === undefined) return null;
  const agree = states.every(
    ({ meta, drift }) =>
      meta !== null &&
      drift.length === 0 &&
      meta.hash === first.hash &&
      meta.generation === first.generation &&
      meta.sampled === first.sampled,
  );
  return agree && changedSets(state).length === 0 ? { generation: first.generation, sampled: first.sampled } : null;
}

/** The layout by the names that the rules have at the same places; null where the rules differ in more than names. */
function asItStands(layout: FamilyLayout, found: SavedRules, generation: number): FamilyLayout | null {
  const names = standingNames(layout, found);
  if (names === null) return null;
  const standing = renamed(layout, names);
  const { changed, stale, hooks } = ruleChanges(found, standing, generation);
  return changed.length + stale.length + hooks.length === 0 ? standing : null;
}

/** One name for one name, in both directions. */
function standingNames({ chains }: FamilyLayout, found: SavedRules): Map<string, string> | null {
  const [names, taken] = [new Map<string, string>(), new Map<string, string>()];
  for (const { name, rules } of chains) {
    const texts = found.get(name)?.texts ?? [];
    for (const [index, { args }] of rules.entries()) {
      const wanted = args[args.indexOf('--match-set') + 1];
      if (wanted === undefined || !args.includes('--match-set')) continue;
      const there = / --match-set (\S+) /.exec(` ${texts[index] ?? ''}`)?.[1];
      if (there === undefined || (names.get(wanted) ?? there) !== there || (taken.get(there) ?? wanted) !== wanted)
        return null;
      names.set(wanted, there);
      taken.set(there, wanted);
    }
  }
  return names;
}

function additionsTo(
  wanted: readonly SetLayout[],
  found: ReadonlyMap<string, SetState>,
  contents: SetContents,
): Growth['sets'] | null {
  const sets: Growth['sets'] = [];
  for (const set of wanted) {
    const there = found.get(set.name);
    if (there === undefined || there.type !== set.type) return null;
    if (there.digest === set.digest) continue;
    const held = contents.membersOf(set.name, there.digest);
    const lines = held === null ? null : additionLines(set, held);
    if (lines === null || there.entries + lines.length > there.maxelem) return null;
    sets.push({ set, lines });
  }
  return sets;
}

/** Null where somebody would be taken out. What a wider member covers goes after that one is in. */
function additionLines({ name, family, members }: SetLayout, held: readonly string[]): string[] | null {
  const { missing, extra } = differenceOf(members, held);
  const wanted = new Set(extra.length === 0 ? [] : members);
  if (extra.length > MAX_COVERED || !extra.every((member) => isCovered(member, family, wanted))) return null;
  return [
    ...missing.map((member) => `add ${name} ${spoken(member)} -exist`),
    ...extra.map((member) => `del ${name} ${spoken(member)} -exist`),
  ];
}

/** Of two sorted lists. */
function differenceOf(wanted: readonly string[], held: readonly string[]): { missing: string[]; extra: string[] } {
  const [missing, extra]: [string[], string[]] = [[], []];
  let [at, there] = [0, 0];
  while (at < wanted.length || there < held.length) {
    const [one, other] = [wanted[at], held[there]];
    if (one === other) {
      at += 1;
      there += 1;
    } else if (other === undefined || (one !== undefined && one < other)) {
      missing.push(one ?? '');
      at += 1;
    } else {
      extra.push(other);
      there += 1;
    }
  }
  return { missing, extra };
}
