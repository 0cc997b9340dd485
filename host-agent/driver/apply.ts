/**
 * Makes a policy the one in force on a host. New sets are filled first, under names of their own; then one transaction for each
 * family switches to rules that name them; what stands is read back. Cut off anywhere, each family judges by the old policy
 * or the new one, whole. Where members alone were added they are added to the sets that stand; cut off there, the sets hold
 * what their rules don't say, which is drift, and some of the added are let in already.
 */
import { type Applied, revisionOlder } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { cutFlows, requireFlows } from './cut-flows.ts';
import { freshLayout } from './generations.ts';
import { type Growth, growthOf } from './growth.ts';
import {
  changedSets,
  FAMILY_NAMES,
  type HostState,
  readHostState,
  retiredChains,
  type SetState,
} from './host-state.ts';
import type { FamilyLayout, HostLayout, HostOptions, SetLayout } from './layout/host-layout.ts';
import { type InForce, prepareLayout } from './layout/index.ts';
import { renamed } from './layout/renaming.ts';
import { freeName } from './layout/sets.ts';
import { metaOf } from './meta.ts';
import type { Netfilter } from './netfilter/index.ts';
import { ruleWrites } from './rule-writes.ts';
import type { SetContents } from './set-contents.ts';
import { growSets, type Tally, writeSets } from './set-writes.ts';

export interface Application {
  point: string;
  options: HostOptions;
  netfilter: Netfilter;
  contents: SetContents;
  /** What this process applied last: rules that are gone don't tell it. */
  last: { hash: string; generation: number } | null;
}

export interface Outcome {
  applied: Applied;
  generation: number;
  /** Sets of ours, and those of them that rules name. */
  sets: Iterable<string>;
  wanted: ReadonlySet<string>;
  /** There may be chains that are over. */
  wrote: boolean;
}

type Layouts = (inForce: InForce | null) => HostLayout;

export async function applyPolicy(to: Application, desired: CompiledPolicy): Promise<Outcome> {
  const { netfilter, contents, options } = to;
  const before = await readHostState(netfilter, contents);
  const held = Math.max(0, ...metasOf(before).map(({ revision }) => revision));
  if (held > desired.revision) throw revisionOlder(to.point, desired.revision, held);
  const layouts = prepareLayout(desired, options);
  const growth = growthOf(layouts, desired.hash, before, contents);
  // Also where these rules stand already: whoever wrote them may have been killed before anybody was cut.
  const cuts = options.mark === null;
  if (cuts) await requireFlows(netfilter);
  const tally: Tally = { writes: 0, bytes: 0 };
  const layout = growth === null ? await replace(to, layouts, desired, before, tally) : growth.layout;
  if (growth !== null) await grow(to, growth, before, tally);
  const after = tally.writes === 0 ? before : await readBack(to, layout);
  // Whatever was let in under other rules; marks have it judged without being asked.
  if (cuts) await cutFlows(netfilter, desired, options.publishedPorts);
  return {
    applied: { revision: desired.revision, ...tally },
    generation: layout.generation,
    sets: after.sets.keys(),
    wanted: new Set(setsOf(layout, netfilter).map(({ name }) => name)),
    wrote: tally.writes > 0 || hasRetired(before),
  };
}

const hasRetired = ({ families }: HostState): boolean =>
  [...families.values()].some(({ rules, meta }) => meta !== null && retiredChains(rules, meta.generation).length > 0);
const metasOf = ({ families }: HostState) => [...families.values()].flatMap(({ meta }) => meta ?? []);
const setsOf = ({ families }: HostLayout, netfilter: Netfilter): SetLayout[] =>
  netfilter.families.flatMap((family) => families[family].sets);

async function grow(to: Application, { layout, sets }: Growth, before: HostState, tally: Tally): Promise<void> {
  await growSets(to, sets, tally);
  await switchTo(to.netfilter, layout, before, tally);
}

async function replace(
  to: Application,
  layouts: Layouts,
  desired: CompiledPolicy,
  before: HostState,
  tally: Tally,
): Promise<HostLayout> {
  const natural = await layOut(to, layouts, desired.hash, before);
  const families = { ...natural.families };
  for (const family of to.netfilter.families)
    families[family] = atFreeNames(families[family], before.sets, natural.generation);
  const layout = { ...natural, families };
  await writeSets(to, setsOf(layout, to.netfilter), before.sets, tally);
  await switchTo(to.netfilter, layout, before, tally);
  return layout;
}

/**
 * A policy that is in force keeps its generation, unless somebody changed its rules or sets: then connections may have been let
 * in that should not have been, and a new generation has them judged anew.
 */
async function layOut(to: Application, layouts: Layouts, hash: string, before: HostState): Promise<HostLayout> {
  const metas = metasOf(before);
  const changed = [...before.families.values()].some(({ drift }) => drift.length > 0) || changedSets(before).length > 0;
  const same = metas.find((meta) => meta.hash === hash);
  if (same !== undefined && !changed) return layouts({ hash, generation: same.generation });
  const [latest = to.last] = metas.toSorted((one, other) => other.revision - one.revision);
  const inForce = latest === null ? null : { hash: '', generation: latest.generation };
  return freshLayout(to, layouts, inForce, new Set(metas.map(({ generation }) => generation)));
}

/**
 * What a set should hold is written once: one that grew to it has another name. And a set that grew to something else may have
 * the name, and judges.
 */
function atFreeNames(layout: FamilyLayout, found: ReadonlyMap<string, SetState>, generation: number): FamilyLayout {
  const standing = [...found.values()].filter(({ whole }) => whole);
  const names = layout.sets.map(({ name, digest }): [string, string] => {
    const there = found.get(name);
    if (there?.digest === digest) return [name, name];
    const equal = standing.find((set) => set.digest === digest && set.name.slice(0, 4) === name.slice(0, 4));
    if (equal !== undefined) return [name, equal.name];
    return [name, there === undefined || there.references === 0 ? name : freeName(name, generation)];
  });
  return renamed(layout, new Map(names));
}

async function switchTo(netfilter: Netfilter, layout: HostLayout, before: HostState, tally: Tally): Promise<void> {
  for (const [family, { rules }] of before.families) {
    const familyLayout = layout.families[family];
    const lines = ruleWrites(rules, familyLayout, metaOf(layout, familyLayout));
    if (lines.length === 0) continue;
    tally.bytes += await netfilter.writeRules(family, lines);
    tally.writes += 1;
  }
}

/** A program that ends well has been believed too often. */
async function readBack({ point, netfilter, contents }: Application, layout: HostLayout): Promise<HostState> {
  const after = await readHostState(netfilter, contents);
  const wrong = [...after.families].flatMap(([family, { meta, drift }]) => {
    const told = meta?.revision === layout.revision && meta.hash === layout.hash;
    const broken = layout.families[family].sets
      .filter(({ name, digest }) => !isWhole(after.sets.get(name), digest))
      .map(({ name }) => `set ${name} holds something else`);
    return [...(told ? [] : [`${FAMILY_NAMES[family]}: another policy is in force`]), ...drift, ...broken];
  });
  if (wrong.length === 0) return after;
  throw new EdgewardError(
    'EDW_ERR_HOST_READ_BACK',
    `applying revision ${layout.revision} to ${point}: ${wrong.join('; ')}`,
    {
      mend: 'Find out who else writes rules and sets of Edgeward on this host; the next attempt writes them again.',
    },
  );
}

const isWhole = (set: SetState | undefined, digest: string): boolean => set?.whole === true && set.digest === digest;
