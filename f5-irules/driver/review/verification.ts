import { type CompiledPolicy, compareText } from '@edgeward/policy';
import { inPartition } from '../box-paths.ts';
import { boxText } from '../box-text.ts';
import { activeUnit, syncStateOf, type Unit } from '../cluster.ts';
import { examine, listGroups } from '../groups.ts';
import { findHazards, type Hazard, type HazardCode, unusableHazards } from '../hazards.ts';
import { type Held, normalText, readHeld, readRuleText, repairsOf } from '../held.ts';
import type { Icontrol } from '../icontrol/index.ts';
import type { EnforcementRules } from '../irules.ts';
import { type Layout, layOut, MAP, type MapEntry, mapHashOf, readMap, withRepairs } from '../layout/index.ts';
import { peersHold } from '../pair-sync.ts';
import { placementsIn } from '../placements.ts';
import { numbered } from './preview.ts';

/**
 * Whether a box holds exactly what a policy compiles to, whoever wrote it and whatever its revision is. Every group is
 * read whole, and nothing that is remembered is believed. Sends GETs only; a role that may read is enough.
 */
export interface Verification {
  point: string;
  unit: string;
  url: string;
  /** null: no policy is in force. */
  revision: number | null;
  policy: { held: string | null; wanted: string };
  /** What is otherwise than the policy says. None: the box enforces it. */
  differences: Difference[];
  /** What keeps a policy that is there from being enforced as it is written, or from lasting. */
  hazards: Difference[];
  checked: { objects: number; groups: number; rules: number };
}

export interface Difference {
  /** Full path of what is meant. */
  object: string;
  code: DifferenceCode | HazardCode;
  words: string;
  mend: string;
}

type DifferenceCode =
  | 'no-policy'
  | 'other-policy'
  | 'map-changed'
  | 'entry-missing'
  | 'entry-unknown'
  | 'entry-differs'
  | 'group-missing'
  | 'group-differs'
  | 'rule-missing'
  | 'rule-differs'
  | 'not-saved'
  | 'not-synced';

export interface VerificationTask {
  point: string;
  boxes: readonly Icontrol[];
  rules: EnforcementRules;
  policy: CompiledPolicy;
}

/** Hazards by which a virtual server is not judged as the policy says at all. */
const ATTACHMENT = new Set<HazardCode>([
  'bind-unusable',
  'virtual-missing',
  'virtual-not-readable',
  'not-attached',
  'connections-not-judged',
  'requests-not-judged',
]);

export async function verifyPolicy({ point, boxes, rules, policy }: VerificationTask): Promise<Verification> {
  const unit = await activeUnit(point, boxes, null);
  const held = await readHeld(unit.box);
  const layout = withRepairs(layOut(numbered(policy, held), placementsIn(held, rules)), repairsOf(held));
  const wanted = readMap(layout.map)?.entries ?? new Map<string, MapEntry>();
  const found = [...unusableHazards(layout), ...(await findHazards(unit.box, wanted, rules))];
  const isAttachment = ({ code }: Hazard): boolean => ATTACHMENT.has(code);
  return {
    ...{ point, unit: unit.name, url: unit.box.url, revision: held.map?.policy?.head.revision ?? null },
    policy: { held: held.map?.policy?.head.policyHash ?? null, wanted: policy.hash },
    differences: [
      ...mapDifferences(held, policy, wanted),
      ...(await groupDifferences(unit.box, layout)),
      ...(await ruleDifferences(unit.box, rules)),
      ...found.filter(isAttachment),
    ],
    hazards: [...found.filter((hazard) => !isAttachment(hazard)), ...savedHazards(held), ...(await syncHazards(unit))],
    checked: { objects: wanted.size, groups: layout.groups.length, rules: 2 },
  };
}

const PUSH = 'Let the sync service push it (`edgeward serve`), or import what `edgeward bigip export` writes.';
const MAP_PATH = inPartition(MAP);

function mapDifferences(held: Held, policy: CompiledPolicy, wanted: ReadonlyMap<string, MapEntry>): Difference[] {
  const own = held.map?.policy ?? null;
  if (held.map === null || own === null)
    return [{ object: MAP_PATH, code: 'no-policy', words: 'no policy is in force: everything is denied', mend: PUSH }];
  const differences: Difference[] = [];
  if (mapHashOf(held.map.records) !== own.head.mapHash) {
    const words = 'its records are not those that its head was made for: somebody wrote to it';
    differences.push({ object: MAP_PATH, code: 'map-changed', words, mend: PUSH });
  }
  if (own.head.policyHash !== policy.hash) {
    const words = `it holds policy ${own.head.policyHash.slice(0, 12)}, and this one is ${policy.hash.slice(0, 12)}`;
    differences.push({ object: MAP_PATH, code: 'other-policy', words, mend: PUSH });
  }
  const binds = [...new Set([...own.entries.keys(), ...wanted.keys()])].sort(compareText);
  return [
    ...differences,
    ...binds.flatMap((bind) => entryDifference(bind, own.entries.get(bind), wanted.get(bind)) ?? []),
  ];
}

function entryDifference(bind: string, held: MapEntry | undefined, wanted: MapEntry | undefined): Difference | null {
  const object = boxText(bind);
  if (wanted === undefined)
    return { object, code: 'entry-unknown', words: 'the map has an entry for it, and the policy has none', mend: PUSH };
  if (held === undefined)
    return { object, code: 'entry-missing', words: 'the map has no entry for it: everything is denied', mend: PUSH };
  const columns = (Object.keys(wanted) as (keyof MapEntry)[]).filter(
    (column) => column !== 'revision' && held[column] !== wanted[column],
  );
  if (columns.length === 0) return null;
  const words = columns.map((column) => `${column} is ${held[column]}, not ${wanted[column]}`).join('; ');
  return { object, code: 'entry-differs', words, mend: PUSH };
}

async function groupDifferences(box: Icontrol, layout: Layout): Promise<Difference[]> {
  const stored = await listGroups(box);
  const differences: Difference[] = [];
  for (const { name } of layout.groups) {
    const group = stored.get(name);
    const found = group === undefined ? ({ state: 'gone' } as const) : await examine(box, group, new Map(), 0);
    if (found.state === 'whole') continue;
    const object = inPartition(name);
    if (found.state === 'gone') differences.push({ object, code: 'group-missing', words: 'it is missing', mend: PUSH });
    else differences.push({ object, code: 'group-differs', words: `it ${found.words}`, mend: PUSH });
  }
  return differences;
}

async function ruleDifferences(box: Icontrol, { l4, l7 }: EnforcementRules): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const { fullPath: object, text } of [l4, l7]) {
    const found = await readRuleText(box, object);
    if (found === normalText(text)) continue;
    if (found === null) differences.push({ object, code: 'rule-missing', words: 'the rule is missing', mend: PUSH });
    else {
      const words = 'its text is not that of this version of Edgeward';
      differences.push({ object, code: 'rule-differs', words, mend: PUSH });
    }
  }
  return differences;
}

function savedHazards({ map, meta }: Held): Difference[] {
  const head = map?.policy?.head;
  const saved = meta?.saved ?? null;
  if (head === undefined || (saved?.revision === head.revision && saved.policyHash === head.policyHash)) return [];
  const words = `nothing tells that revision ${head.revision} was saved: a reboot may bring back an earlier one`;
  return [{ object: MAP_PATH, code: 'not-saved', words, mend: 'Save the configuration: tmsh save sys config.' }];
}

async function syncHazards(unit: Unit): Promise<Difference[]> {
  const { pair, name, box } = unit;
  if (pair === null) return [];
  const { state, words: said } = await syncStateOf(box);
  const shared = await peersHold(unit, pair);
  if (state === 'in-sync' && shared !== 'no') return [];
  const words =
    shared === 'no'
      ? `the other unit holds another policy (${said}): a failover would bring that into force`
      : `the pair is not in sync (${said})`;
  const mend = `Look at what waits, then on ${name}: tmsh run cm config-sync to-group ${boxText(pair.group)}.`;
  return [{ object: boxText(pair.group), code: 'not-synced', words, mend }];
}
