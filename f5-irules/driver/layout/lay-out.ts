import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { requestsGroup, sourcesGroup } from './data-groups.ts';
import type { DataGroup, Layout, Placement, UnusableObject } from './layout.ts';
import { type MapEntry, mapHashOf, mapRecords, readMap } from './map.ts';
import { outcomesOf } from './outcomes.ts';

/** Groups of objects that were laid out before, by the object's hash and place: most objects are as they were. */
export type LayoutMemo = Map<string, ObjectGroups>;

interface ObjectGroups {
  sources: DataGroup | null;
  requests: DataGroup | null;
}

const STANDARD: Placement = { routeDomain: 0, judgesRequests: true };

/** What names a virtual server in iControl REST, tmsh and Tcl without quoting; names with other characters are rare. */
const FULL_PATH = /^\/[A-Za-z0-9._~:+@%-]+(\/[A-Za-z0-9._~:+@%-]+)+$/;

/**
 * The whole desired state of one box. `placements` are by `bind`; a virtual server that is not there yet is laid out as if
 * it stood in the default route domain. Never throws for what a policy says.
 */
export function layOut(
  policy: CompiledPolicy,
  placements: ReadonlyMap<string, Placement> = new Map(),
  memo: LayoutMemo = new Map(),
): Layout {
  const entries = new Map<string, MapEntry>();
  const groups = new Map<string, DataGroup>();
  const used: LayoutMemo = new Map();
  const unusable: UnusableObject[] = [];
  for (const object of policy.objects) {
    const { name, bind } = object;
    if (!isFullPath(bind)) {
      // One bad document must not keep all others from being enforced.
      unusable.push({ name, bind });
      continue;
    }
    const placement = placements.get(object.bind) ?? STANDARD;
    const key = `${object.hash} ${placement.routeDomain}`;
    const own = memo.get(key) ?? groupsOf(object, placement);
    used.set(key, own);
    for (const group of [own.sources, own.requests]) if (group !== null) groups.set(group.name, group);
    entries.set(object.bind, entryOf(policy, object, placement, own));
  }
  memo.clear();
  for (const [key, own] of used) memo.set(key, own);
  const head = { revision: policy.revision, policyHash: policy.hash, point: policy.point };
  const map = mapRecords(entries, head);
  return { ...head, mapHash: mapHashOf(map), map, groups: [...groups.values()], unusable };
}

function groupsOf(object: CompiledObject, { routeDomain }: Placement): ObjectGroups {
  const { classes, requests } = outcomesOf(object);
  return { sources: sourcesGroup(object, classes, routeDomain), requests: requestsGroup(requests) };
}

function entryOf(
  policy: CompiledPolicy,
  object: CompiledObject,
  { routeDomain, judgesRequests }: Placement,
  { sources, requests }: ObjectGroups,
): MapEntry {
  return {
    revision: policy.revision,
    mode: object.mode,
    protocol: object.protocol,
    sources: sources?.name ?? null,
    requests: requests?.name ?? null,
    routeDomain,
    proxies: object.protocol === 'http' && object.trustedProxies !== null,
    blind: object.protocol === 'http' && !judgesRequests,
    repairs: 0,
  };
}

/** The same layout, with a map that tells that groups were repaired so often. */
export function withRepairs(layout: Layout, repairs: number): Layout {
  const { entries } = readMap(layout.map) ?? { entries: new Map<string, MapEntry>() };
  const repaired = new Map([...entries].map(([bind, entry]) => [bind, { ...entry, repairs }]));
  const map = mapRecords(repaired, layout);
  return { ...layout, mapHash: mapHashOf(map), map };
}

function isFullPath(bind: string): boolean {
  return FULL_PATH.test(bind) && bind.length <= 255;
}
