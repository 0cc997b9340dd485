/**
 * What has to happen on a box so that it holds a policy, and what would undo it. With an examined box that is exact;
 * without one everything is written, and nothing is claimed about what stands there. Nothing is read or written here.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { compareText } from '@edgeward/policy';
import { inPartition } from '../driver/box-paths.ts';
import type { Hazard } from '../driver/hazards.ts';
import type { EnforcementRule, EnforcementRules } from '../driver/irules.ts';
import {
  type DataGroup,
  type DataRecord,
  type Layout,
  MAP,
  META,
  mapDescription,
  repairsIn,
} from '../driver/layout/index.ts';
import { emptyMeta, keptSets, metaRecords, readMeta } from '../driver/meta.ts';
import { type Attachment, attachmentsOf } from './attachments.ts';
import { type GroupNeed, type HeldBox, type HeldGroup, isCurrent } from './examination.ts';
import type { GroupText } from './tmsh-text.ts';

export interface Change {
  point: string;
  revision: number;
  policyHash: string;
  /** An ISO time. */
  madeAt: string;
  layout: Layout;
  rules: EnforcementRules;
  /** null: made without looking at a box. */
  held: HeldBox | null;
  hazards: Hazard[];
  /** Rules that the box does not have as they should be. */
  changedRules: EnforcementRule[];
  /** Internal groups to write, in no order that matters: nothing uses them before the map does. */
  groups: DataGroup[];
  files: FileChange[];
  map: GroupText;
  meta: GroupText;
  /** What a merge leaves and should not: it adds records and replaces them, and takes none away. */
  surplus: Surplus[];
  attachments: Attachment[];
  back: Back;
}

/** A large group, and what is there of it already. */
export interface FileChange {
  group: DataGroup;
  need: Exclude<GroupNeed, { do: 'nothing' } | { do: 'mend-records' }>;
}

export interface Surplus {
  fullPath: string;
  names: string[];
}

type Back =
  /** The map that was in force: one load brings it back, its groups are still there. */
  | {
      by: 'map';
      map: GroupText;
      meta: GroupText | null;
      rules: { fullPath: string; text: string }[];
      surplus: Surplus[];
    }
  /** Nothing was in force, or nobody looked. */
  | { by: 'detach' };

export interface ChangeInput {
  policy: CompiledPolicy;
  layout: Layout;
  rules: EnforcementRules;
  examined: { held: HeldBox; needs: ReadonlyMap<string, GroupNeed>; hazards: Hazard[] } | null;
  nowMs: number;
}

/** Of the last three revisions, as the driver keeps them. */
const KEPT_REVISIONS = 3;

export function changeOf({ policy, layout, rules, examined, nowMs }: ChangeInput): Change {
  const held = examined?.held ?? null;
  const madeAt = new Date(nowMs).toISOString();
  const needs = layout.groups.map((group) => ({
    group,
    need: examined?.needs.get(group.name) ?? ({ do: 'create', file: 'none' } as const),
  }));
  const map = mapText(layout);
  const meta = metaText(layout, held, madeAt);
  return {
    point: policy.point,
    revision: layout.revision,
    policyHash: layout.policyHash,
    madeAt,
    layout,
    rules,
    held,
    hazards: examined?.hazards ?? [],
    changedRules: [rules.l4, rules.l7].filter((rule) => held === null || !isCurrent(held, rule)),
    groups: needs.flatMap(({ group, need }) => (group.storage === 'internal' && need.do !== 'nothing' ? [group] : [])),
    files: needs.flatMap(({ group, need }) =>
      group.storage === 'external' && need.do !== 'nothing' && need.do !== 'mend-records' ? [{ group, need }] : [],
    ),
    map,
    meta,
    surplus: [
      ...needs.flatMap(({ group, need }) =>
        need.do === 'mend-records' ? surplusOf(inPartition(group.name), need.surplus) : [],
      ),
      ...surplusOf(map.fullPath, namesBeyond(held?.map, map)),
      ...surplusOf(meta.fullPath, namesBeyond(held?.meta, meta)),
    ],
    attachments: attachmentsOf(policy, rules, held),
    back: backOf(held, map, meta, rules),
  };
}

function mapText(layout: Layout): GroupText {
  return { fullPath: inPartition(MAP), type: 'string', description: mapDescription(layout), records: layout.map };
}

/**
 * The folder does not know when it will be loaded, so it tells when it was made. The groups of earlier revisions stay
 * listed, so that no driver deletes what a way back needs.
 */
function metaText({ revision, policyHash, groups, map }: Layout, held: HeldBox | null, madeAt: string): GroupText {
  const before = held?.meta === undefined || held.meta === null ? emptyMeta : readMeta(held.meta.records);
  const names = groups.map(({ name }) => name).sort(compareText);
  const sets = keptSets(before, held?.policy ?? null, { revision, names }, KEPT_REVISIONS);
  const repairs = repairsIn(map);
  const meta = { saved: { revision, policyHash }, sets, applied: `exported ${madeAt}`, repairs };
  return { fullPath: inPartition(META), type: 'string', records: metaRecords(meta) };
}

function backOf(held: HeldBox | null, map: GroupText, meta: GroupText, rules: EnforcementRules): Back {
  // A map without a policy denies everybody: to load that would be no way back.
  if (held?.policy == null || held.map === null) return { by: 'detach' };
  const replaced = [rules.l4, rules.l7].flatMap(({ fullPath, text }) => {
    const before = held.ruleTexts.get(fullPath) ?? null;
    return before === null || before === text ? [] : [{ fullPath, text: before }];
  });
  return {
    by: 'map',
    map: textOf(map.fullPath, held.map),
    meta: held.meta === null ? null : textOf(meta.fullPath, held.meta),
    rules: replaced,
    surplus: [
      ...surplusOf(map.fullPath, namesBeyond(map, held.map)),
      ...surplusOf(meta.fullPath, namesBeyond(meta, held.meta)),
    ],
  };
}

function textOf(fullPath: string, { description, records }: HeldGroup): GroupText {
  return { fullPath, type: 'string', description, records };
}

interface Recorded {
  records: Iterable<DataRecord>;
}

/** Names of records that `before` has and `after` has not. */
function namesBeyond(before: Recorded | null | undefined, after: Recorded | null): string[] {
  const kept = new Set([...(after?.records ?? [])].map(({ name }) => name));
  return [...(before?.records ?? [])].map(({ name }) => name).filter((name) => !kept.has(name));
}

function surplusOf(fullPath: string, names: string[]): Surplus[] {
  return names.length === 0 ? [] : [{ fullPath, names }];
}
