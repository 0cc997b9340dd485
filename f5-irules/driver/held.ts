import { isDeepStrictEqual } from 'node:util';
import { INTERNAL_GROUPS, inPartition, RULES, VIRTUALS } from './box-paths.ts';
import { canonicalRecords, type Icontrol, type Json, objectPath, recordsOf } from './icontrol/index.ts';
import type { EnforcementRule } from './irules.ts';
import { type DataRecord, MAP, META, type Placement, type PolicyMap, readMap, repairsIn } from './layout/index.ts';
import { type Meta, readMeta } from './meta.ts';

/** What one unit holds of ours, besides the groups: read anew each time, and nothing of it is believed before it is compared. */
export interface Held {
  /** null: there is no such group. */
  map: HeldMap | null;
  /** null: there is no such group. */
  meta: Meta | null;
  /** By virtual server. */
  virtuals: Map<string, Virtual>;
}

export interface HeldMap {
  generation: number;
  records: DataRecord[];
  /** null where the head can't be read: there is no policy, as the iRules see it. */
  policy: PolicyMap | null;
}

export interface Virtual {
  routeDomain: number;
  /** Full paths, in the order in which they are attached. */
  rules: string[];
}

export async function readHeld(box: Icontrol): Promise<Held> {
  return { map: await readHeldMap(box), meta: await readHeldMeta(box), virtuals: await readVirtuals(box) };
}

/** How often groups were repaired in place, the repairs that were begun included. */
export function repairsOf({ map, meta }: Held): number {
  return Math.max(repairsIn(map?.records ?? []), meta?.repairs ?? 0);
}

export async function readHeldMap(box: Icontrol): Promise<HeldMap | null> {
  const object = await box.get(objectPath(INTERNAL_GROUPS, inPartition(MAP)));
  if (object === null) return null;
  const records = recordsOf(object);
  return { generation: Number(object.generation), records, policy: readMap(records) };
}

export async function readHeldMeta(box: Icontrol): Promise<Meta | null> {
  const object = await box.get(objectPath(INTERNAL_GROUPS, inPartition(META)));
  return object === null ? null : readMeta(recordsOf(object));
}

/** null: there is no such rule. */
export async function readRuleText(box: Icontrol, fullPath: string): Promise<string | null> {
  const object = await box.get(objectPath(RULES, fullPath));
  return object === null ? null : normalText(object.apiAnonymous);
}

/** Boxes trim a rule's text; what a person pastes may end its lines in another way. */
export function normalText(text: unknown): string {
  return typeof text === 'string' ? text.replaceAll('\r\n', '\n').trim() : '';
}

async function readVirtuals(box: Icontrol): Promise<Map<string, Virtual>> {
  const virtuals = await box.list(VIRTUALS, { $select: 'fullPath,destination,rules' });
  return new Map(virtuals.map((virtual) => [String(virtual.fullPath), readVirtual(virtual)]));
}

export function readVirtual(virtual: Json): Virtual {
  const { destination, rules } = virtual;
  // `/Common/10.0.0.1%2:443`, `/Common/2001:db8::1%2.443`
  const domain = typeof destination === 'string' ? /%(\d{1,5})/.exec(destination)?.[1] : undefined;
  return { routeDomain: Number(domain ?? 0), rules: Array.isArray(rules) ? rules.map(String) : [] };
}

/** What the layout depends on. */
export function placementOf(
  { routeDomain, rules }: Virtual,
  own: { l4: EnforcementRule; l7: EnforcementRule },
): Placement {
  const blind = rules.includes(own.l4.fullPath) && !rules.includes(own.l7.fullPath);
  return { routeDomain, judgesRequests: !blind };
}

/** Of string groups, whatever the order. */
export function equalRecords(one: readonly DataRecord[], other: readonly DataRecord[]): boolean {
  return isDeepStrictEqual(canonicalRecords('string', one), canonicalRecords('string', other));
}
