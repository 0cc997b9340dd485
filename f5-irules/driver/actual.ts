import type { Actual } from '@edgeward/enforcement-point';
import { inPartition } from './box-paths.ts';
import { boxText } from './box-text.ts';
import { activeUnit, syncStateOf, type Unit } from './cluster.ts';
import { examine, type GroupState, listGroups } from './groups.ts';
import { type Held, type HeldMap, normalText, placementOf, readHeld, readRuleText, repairsOf } from './held.ts';
import { canonicalRecords, type Icontrol } from './icontrol/index.ts';
import type { EnforcementRule, EnforcementRules } from './irules.ts';
import type { KnownBox } from './known-box.ts';
import {
  type DataRecord,
  type Layout,
  MAP,
  MAP_HEAD,
  META,
  mapHashOf,
  PARTITION,
  type PolicyMap,
  repairsIn,
  withRepairs,
} from './layout/index.ts';
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

export async function inspectPoint({ point, boxes, rules, known }: Inspection): Promise<Actual> {
  const unit = await activeUnit(point, boxes, known.active);
  known.active = unit.box.url;
  const held = await readHeld(unit.box);
  const { map } = held;
  const policy = map?.policy ?? null;
  if (map === null) return { state: 'empty' };
  if (policy === null) return headless(map);
  const layout = layoutOf(known, policy);
  const groups = await groupDrift(unit.box, policy, known, layout);
  const drift = [
    ...mapDrift(map, policy, layout),
    ...groups,
    ...(await ruleDrift(unit.box, rules)),
    ...placementDrift(held, policy, rules),
  ];
  const unfinished = [
    ...(groups.length === 0 ? unrepaired(held, known) : []),
    ...unsaved(held, policy, known),
    ...(await unsynced(unit, known)),
  ];
  const { revision, policyHash: hash } = policy.head;
  return { state: 'loaded', revision, hash, drift: bounded(drift), unfinished };
}

/** Without a head there is no policy, as the rules see it. A head that nobody of us can have written is somebody's change. */
function headless({ records }: HeldMap): Actual {
  if (!records.some(({ name }) => name === MAP_HEAD)) return { state: 'empty' };
  const drift = [`${inPartition(MAP)}: its head ${MAP_HEAD} is not readable`];
  return { state: 'loaded', revision: 0, hash: '', drift, unfinished: [] };
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
  if (layout !== null) {
    // How often groups were repaired may be another service's to tell.
    const { map: wanted } = withRepairs(layout, repairsIn(records));
    return recordDrift(map, canonicalRecords('string', wanted), records);
  }
  return mapHashOf(records) === head.mapHash ? [] : [`${map}: its records are not those that its head was made for`];
}

async function groupDrift(box: Icontrol, policy: PolicyMap, known: KnownBox, layout: Layout | null): Promise<string[]> {
  const stored = await listGroups(box);
  const nowMs = Date.now();
  const drift: string[] = [];
  for (const name of groupsOfMap(policy)) {
    const group = stored.get(name);
    const found = group === undefined ? ({ state: 'gone' } as const) : await examine(box, group, known.verified, nowMs);
    if (found.state !== 'whole') known.changed.add(name);
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

/** A repair that the map does not tell, or a group that somebody changed and put back himself. */
function unrepaired(held: Held, { changed }: KnownBox): string[] {
  // A map without entries tells nothing; the next one takes the number from meta.
  const tells = (held.map?.policy?.entries.size ?? 0) > 0;
  if (changed.size === 0 && (!tells || repairsOf(held) <= repairsIn(held.map?.records ?? []))) return [];
  return [`${inPartition(MAP)} does not tell of a repair: the rules may remember what a changed group said`];
}

function unsaved({ meta }: Held, { head }: PolicyMap, { refused }: KnownBox): string[] {
  const { saved } = meta ?? { saved: null };
  if (saved?.revision === head.revision && saved.policyHash === head.policyHash) return [];
  const words = `${inPartition(META)} does not tell that revision ${head.revision} was saved`;
  if (!refused.has('save')) return [words];
  const command = `tmsh save sys config partitions { ${PARTITION} }`;
  return [`${words}: the role of its user does not allow it; give it one that does, or save yourself: ${command}`];
}

async function unsynced(unit: Unit, known: KnownBox): Promise<string[]> {
  const { name, pair } = unit;
  if (pair === null) return [];
  const { state, words } = await syncStateOf(unit.box);
  if (state === 'in-sync') {
    known.waiting = null;
    return [];
  }
  const shared = await peersHold(unit, pair);
  const isBehind = shared === 'no' || (shared === 'unknown' && known.waiting !== null);
  if (!isBehind) return [];
  const waits = `the other unit of ${name} waits for a config-sync (${words})`;
  if (!known.refused.has('sync')) return [waits];
  const command = `tmsh run cm config-sync to-group ${pair.group}`;
  return [`${waits}: the role of its user does not allow it; sync yourself: ${command}`];
}
