/**
 * What an export has to know of a box, and what it would have to guess otherwise. Only reads: the active unit is asked for
 * what is in force, for its virtual servers, and for which groups are there already.
 */
import { EdgewardError } from '@edgeward/runtime';
import { INTERNAL_GROUPS, inPartition, OWN_PARTITION, PUBLISHERS } from '../driver/box-paths.ts';
import { boxText } from '../driver/box-text.ts';
import { activeUnit } from '../driver/cluster.ts';
import { examine, listFiles, listGroups, type StoredFile, type StoredGroup } from '../driver/groups.ts';
import { findHazards, type Hazard } from '../driver/hazards.ts';
import { readHeld, readRuleText, repairsOf, type Virtual } from '../driver/held.ts';
import { type Icontrol, type Json, objectPath, recordsOf } from '../driver/icontrol/index.ts';
import type { EnforcementRule, EnforcementRules } from '../driver/irules.ts';
import {
  type DataGroup,
  type DataRecord,
  type Layout,
  MAP,
  META,
  type Placement,
  type PolicyMap,
  readMap,
} from '../driver/layout/index.ts';
import { placementsIn } from '../driver/placements.ts';

/** Read before the policy is laid out: where virtual servers stand decides how. */
export interface HeldBox {
  box: Icontrol;
  /** As the box calls itself. */
  name: string;
  /** Name of the sync-failover group; null: the box stands alone. */
  syncGroup: string | null;
  hasPartition: boolean;
  hasPublisher: boolean;
  /** null: there is no such group. */
  map: HeldGroup | null;
  meta: HeldGroup | null;
  /** null: no policy is in force. */
  policy: PolicyMap | null;
  /** How often groups were repaired in place. */
  repairs: number;
  virtuals: Map<string, Virtual>;
  /** By full path; null: there is no such rule. */
  ruleTexts: Map<string, string | null>;
}

export interface HeldGroup {
  description: string;
  records: DataRecord[];
}

/** Throws what the driver throws for a box, or a pair, that it can't read. */
export async function readBox(point: string, boxes: readonly Icontrol[], rules: EnforcementRules): Promise<HeldBox> {
  const { box, name, pair } = await activeUnit(point, boxes, null);
  const all = await readHeld(box);
  const { map, virtuals } = all;
  const own = [rules.l4, rules.l7];
  const texts = await Promise.all(own.map(({ fullPath }) => readRuleText(box, fullPath)));
  return {
    box,
    name,
    syncGroup: pair?.group ?? null,
    hasPartition: map !== null || (await box.get(OWN_PARTITION)) !== null,
    hasPublisher: (await box.get(objectPath(PUBLISHERS, inPartition('eg_audit')))) !== null,
    map: map === null ? null : { description: await descriptionOf(box, MAP), records: map.records },
    meta: await readGroup(box, META),
    policy: map?.policy ?? null,
    repairs: repairsOf(all),
    virtuals,
    ruleTexts: new Map(own.map(({ fullPath }, index) => [fullPath, texts[index] ?? null])),
  };
}

async function descriptionOf(box: Icontrol, name: string): Promise<string> {
  const object = await box.get(objectPath(INTERNAL_GROUPS, inPartition(name)), { $select: 'description' });
  return boxText(object?.description);
}

async function readGroup(box: Icontrol, name: string): Promise<HeldGroup | null> {
  const object: Json | null = await box.get(objectPath(INTERNAL_GROUPS, inPartition(name)));
  return object === null ? null : { description: boxText(object.description), records: recordsOf(object) };
}

export function placementsOn({ virtuals, policy }: HeldBox, rules: EnforcementRules): Map<string, Placement> {
  return placementsIn({ virtuals, map: { policy } }, rules);
}

/** How a group of the layout stands on the box. */
export type GroupNeed =
  | { do: 'nothing' }
  | { do: 'create'; file: 'none' | 'whole' | 'other' }
  /** Its records are replaced by a merge, but for those that it should not have. */
  | { do: 'mend-records'; surplus: string[] }
  | { do: 'mend-file'; file: 'none' | 'other' };

/** By name. Throws EDW_ERR_BIGIP_GROUP for what no command can mend. */
export async function examineGroups({ box }: HeldBox, layout: Layout): Promise<Map<string, GroupNeed>> {
  const stored = await listGroups(box);
  const files = layout.groups.some(({ storage }) => storage === 'external') ? await listFiles(box) : new Map();
  const needs = new Map<string, GroupNeed>();
  for (const group of layout.groups) {
    const there = stored.get(group.name);
    const need = there === undefined ? missing(group, files) : await needOf(box, group, there);
    needs.set(group.name, need);
  }
  return needs;
}

function missing(group: DataGroup, files: ReadonlyMap<string, StoredFile>): GroupNeed {
  const file = files.get(group.name);
  if (file === undefined) return { do: 'create', file: 'none' };
  return { do: 'create', file: file.sha1 === group.sha1 ? 'whole' : 'other' };
}

async function needOf(box: Icontrol, group: DataGroup, stored: StoredGroup): Promise<GroupNeed> {
  const found = await examine(box, stored, new Map(), Date.now());
  if (found.state === 'whole') return { do: 'nothing' };
  if (found.state === 'gone') return { do: 'create', file: 'none' };
  if (stored.storage === 'external') return { do: 'mend-file', file: stored.file === null ? 'none' : 'other' };
  if (found.state === 'damaged' && found.records !== null) {
    const wanted = new Set([...group.records()].map(({ name }) => name));
    const surplus = found.records.map(({ name }) => name).filter((name) => !wanted.has(name));
    return { do: 'mend-records', surplus };
  }
  const path = inPartition(group.name);
  throw new EdgewardError('EDW_ERR_BIGIP_GROUP', `exporting for ${box.url}: the data group ${path} ${found.words}`, {
    mend: `Delete it: tmsh delete ltm data-group internal ${path}. Then export again.`,
  });
}

/** What else on the box keeps the policy from being enforced; what the procedure itself is about is left out. */
export async function hazardsFor(held: HeldBox, layout: Layout, rules: EnforcementRules): Promise<Hazard[]> {
  const entries = readMap(layout.map)?.entries ?? new Map();
  const told = new Set(['not-attached', 'audit-publisher-missing']);
  return (await findHazards(held.box, entries, rules)).filter(({ code }) => !told.has(code));
}

/** Whether a rule stands on the box as it should. */
export function isCurrent(held: HeldBox, rule: EnforcementRule): boolean {
  return held.ruleTexts.get(rule.fullPath) === rule.text;
}
