import type { Actual } from '@edgeward/enforcement-point';
import { inPartition } from './box-paths.ts';
import { boxText } from './box-text.ts';
import { activeUnit, syncStateOf, type Unit } from './cluster.ts';
import { examine, type GroupState, listGroups } from './groups.ts';
import { type Held, type HeldMap, normalText, placementOf, readHeld, readRuleText } from './held.ts';
import { canonicalRecords, type Icontrol } from './icontrol/index.ts';
import type { EnforcementRule, EnforcementRules } from './irules.ts';
import type { KnownBox } from './known-box.ts';
import { type DataRecord, type Layout, MAP, META, mapHashOf, type PolicyMap } from './layout/index.ts';
import { groupsOfMap } from './meta.ts';
import { peersHold } from './pair-sync.ts';

/**
 * What the active unit holds, and what of it is not as it was left. Groups say by their names whether they are whole, and
 * the map by its head, so a process that wrote nothing sees as much as one that did; that one only knows more words.
 */
export interface Inspection {
  point: string;
  boxes: readonly Icontrol[];
  rules: EnforcementRules;
  known: KnownBox;
}

/** A sentence that begins with this tells of an apply that did not come to its end, and not of somebody's hand. */
export const UNFINISHED = 'unfinished: ';

export async function inspectPoint({ point, boxes, rules, known }: Inspection): Promise<Actual> {
  const unit = await activeUnit(point, boxes, known.active);
  known.active = unit.box.url;
  const held = await readHeld(unit.box);
  const policy = held.map?.policy ?? null;
  if (held.map === null || policy === null) return { state: 'empty' };
  const layout = layoutOf(known, policy);
  const drift = [
    ...mapDrift(held.map, policy, layout),
    ...(await groupDrift(unit.box, policy, known, layout)),
    ...(await ruleDrift(unit.box, rules)),
    ...placementDrift(held, policy, rules),
    ...unsavedDrift(held, policy),
    ...(await pairDrift(unit, known)),
  ];
  return { state: 'loaded', revision: policy.head.revision, hash: policy.head.policyHash, drift: bounded(drift) };
}

const MAX_SENTENCES = 20;

function bounded(drift: string[]): string[] {
  if (drift.length <= MAX_SENTENCES) return drift;
  return [...drift.slice(0, MAX_SENTENCES), `and ${drift.length - MAX_SENTENCES} more differences`];
}

/** What this process laid out, if that is what is in force. */
function layoutOf({ layout }: KnownBox, { head }: PolicyMap): Layout | null {
  return layout?.policyHash === head.policyHash && layout.revision === head.revision ? layout : null;
}

function mapDrift({ records }: HeldMap, { head }: PolicyMap, layout: Layout | null): string[] {
  const map = inPartition(MAP);
  if (layout !== null) return recordDrift(map, canonicalRecords('string', layout.map), records);
  return mapHashOf(records) === head.mapHash ? [] : [`${map}: its records are not those that its head was made for`];
}

async function groupDrift(box: Icontrol, policy: PolicyMap, known: KnownBox, layout: Layout | null): Promise<string[]> {
  const stored = await listGroups(box);
  const nowMs = Date.now();
  const drift: string[] = [];
  for (const name of groupsOfMap(policy)) {
    const group = stored.get(name);
    const found = group === undefined ? ({ state: 'gone' } as const) : await examine(box, group, known.verified, nowMs);
    drift.push(...describe(name, found, layout));
  }
  return drift;
}

function describe(name: string, found: GroupState, layout: Layout | null): string[] {
  if (found.state === 'whole') return [];
  const path = inPartition(name);
  if (found.state === 'gone') return [`${path}: it is missing`];
  const group = layout?.groups.find((one) => one.name === name);
  if (group === undefined || found.state === 'foreign' || found.records === null) return [`${path}: it ${found.words}`];
  return recordDrift(path, canonicalRecords(group.type, [...group.records()]), found.records);
}

/** Records that are told one by one; of more only the number. */
const MAX_RECORDS = 3;

function recordDrift(path: string, wanted: readonly DataRecord[], found: readonly DataRecord[]): string[] {
  const left = new Map(found.map(({ name, data }) => [name, data]));
  const changes: string[] = [];
  for (const { name, data } of wanted) {
    const there = left.get(name);
    left.delete(name);
    if (there === undefined) changes.push(`${path}: ${name} is missing`);
    else if (there !== data)
      changes.push(
        `${path}: ${name} is ${JSON.stringify(boxText(there, 60))}, not ${JSON.stringify(boxText(data, 60))}`,
      );
  }
  for (const name of left.keys()) changes.push(`${path}: ${JSON.stringify(boxText(name, 60))} was added`);
  if (changes.length <= MAX_RECORDS) return changes;
  return [...changes.slice(0, MAX_RECORDS), `${path}: ${changes.length - MAX_RECORDS} more of its records differ`];
}

async function ruleDrift(box: Icontrol, rules: EnforcementRules): Promise<string[]> {
  const drift = await Promise.all(
    [rules.l4, rules.l7].map(async (rule) => describeRule(rule, await readRuleText(box, rule.fullPath))),
  );
  return drift.flat();
}

function describeRule(rule: EnforcementRule, text: string | null): string[] {
  if (text === null) return [`${rule.fullPath}: the rule is missing`];
  const [wanted, found] = [normalText(rule.text).split('\n'), text.split('\n')];
  const line = wanted.findIndex((one, index) => one !== found[index]);
  if (line === -1 && wanted.length === found.length) return [];
  return [`${rule.fullPath}: its text differs from line ${line === -1 ? wanted.length + 1 : line + 1} on`];
}

/** A virtual server that was moved, or that got or lost a rule, since the map was written. */
function placementDrift(held: Held, policy: PolicyMap, rules: EnforcementRules): string[] {
  return [...policy.entries].flatMap(([bind, entry]) => {
    const virtual = held.virtuals.get(bind);
    if (virtual === undefined) return [];
    const { routeDomain, judgesRequests } = placementOf(virtual, rules);
    const drift: string[] = [];
    if (routeDomain !== entry.routeDomain)
      drift.push(`${bind}: it is in route domain ${routeDomain}, and the map says ${entry.routeDomain}`);
    if (entry.protocol !== 'http' || entry.blind !== judgesRequests) return drift;
    const now = judgesRequests
      ? 'has a rule that judges requests'
      : `lacks ${rules.l7.fullPath}, so that nobody judges its requests`;
    return [...drift, `${bind}: it now ${now}`];
  });
}

function unsavedDrift({ meta }: Held, { head }: PolicyMap): string[] {
  const { saved } = meta ?? { saved: null };
  if (saved?.revision === head.revision && saved.policyHash === head.policyHash) return [];
  return [`${UNFINISHED}${inPartition(META)} does not tell that revision ${head.revision} was saved`];
}

async function pairDrift(unit: Unit, known: KnownBox): Promise<string[]> {
  if (unit.pair === null) return [];
  const { state, words } = await syncStateOf(unit.box);
  if (state === 'in-sync') {
    known.waiting = null;
    return [];
  }
  const isBehind = (await peersHold(unit, unit.pair)) === 'no' || known.waiting !== null;
  return isBehind ? [`${UNFINISHED}the other unit of ${unit.name} waits for a config-sync (${words})`] : [];
}
