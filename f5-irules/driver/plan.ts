import { examine, type GroupState, listGroups, type StoredGroup } from './groups.ts';
import { equalRecords, type Held, normalText, readRuleText } from './held.ts';
import type { Icontrol } from './icontrol/index.ts';
import type { EnforcementRule, EnforcementRules } from './irules.ts';
import type { KnownBox } from './known-box.ts';
import type { DataGroup, Layout } from './layout/index.ts';
import { groupsOfMap } from './meta.ts';

/** What an apply has to write: the difference between what a unit holds and what is desired. Nothing is written here. */
export interface Plan {
  rules: RuleChange[];
  groups: GroupChange[];
  /** The map's records differ. */
  switches: boolean;
  /** A group was not as it should be, and the rules may remember what it said: the map has to tell of a repair. */
  repairs: boolean;
  /** Nobody knows that this policy was saved. */
  finishes: boolean;
}

export interface RuleChange {
  rule: EnforcementRule;
  exists: boolean;
}

type GroupChange =
  | { do: 'create'; group: DataGroup }
  | { do: 'repair'; group: DataGroup; stored: StoredGroup; found: GroupState };

type StoredGroups = ReadonlyMap<string, StoredGroup>;

export interface PlanTask {
  box: Icontrol;
  known: KnownBox;
  held: Held;
  layout: Layout;
  rules: EnforcementRules;
  nowMs: number;
}

export async function planOf(task: PlanTask): Promise<Plan> {
  const { box, held, layout, rules } = task;
  const changes = await Promise.all([ruleChange(box, rules.l4), ruleChange(box, rules.l7)]);
  const saved = held.meta?.saved ?? null;
  const stored = await listGroups(box);
  const groups = await groupChanges(task, stored);
  const repairs = groups.some((change) => isRepair(change, held)) || (await wereChanged(task, stored));
  return {
    rules: changes.filter((change) => change !== null),
    groups,
    repairs,
    switches: repairs || held.map === null || !equalRecords(held.map.records, layout.map),
    finishes: saved?.revision !== layout.revision || saved.policyHash !== layout.policyHash,
  };
}

export function isEmpty(plan: Plan): boolean {
  return plan.rules.length === 0 && plan.groups.length === 0 && !plan.switches && !plan.finishes;
}

async function ruleChange(box: Icontrol, rule: EnforcementRule): Promise<RuleChange | null> {
  const text = await readRuleText(box, rule.fullPath);
  return text === normalText(rule.text) ? null : { rule, exists: text !== null };
}

async function groupChanges({ box, known, layout, nowMs }: PlanTask, stored: StoredGroups): Promise<GroupChange[]> {
  const changes: GroupChange[] = [];
  for (const group of layout.groups) {
    const there = stored.get(group.name);
    if (there === undefined) {
      changes.push({ do: 'create', group });
      continue;
    }
    const found = await examine(box, there, known.verified, nowMs);
    if (found.state !== 'whole') changes.push({ do: 'repair', group, stored: there, found });
  }
  return changes;
}

/** A group that is missing though the map names it may have stood there with another content. */
function isRepair({ do: does, group }: GroupChange, held: Held): boolean {
  return does === 'repair' || namesInForce(held).includes(group.name);
}

/** Also of groups that go out of force now: they may come again, and somebody may have put them back himself. */
async function wereChanged({ box, held, known, layout, nowMs }: PlanTask, stored: StoredGroups): Promise<boolean> {
  if (known.changed.size > 0) return true;
  const desired = new Set(layout.groups.map(({ name }) => name));
  for (const name of namesInForce(held).filter((name) => !desired.has(name))) {
    const there = stored.get(name);
    if (there === undefined || (await examine(box, there, known.verified, nowMs)).state !== 'whole') return true;
  }
  return false;
}

function namesInForce({ map }: Held): string[] {
  return map?.policy == null ? [] : groupsOfMap(map.policy);
}
