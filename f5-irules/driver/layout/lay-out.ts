import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { requestsGroup, sourcesGroup } from './data-groups.ts';
import type { DataGroup, Layout, Placement } from './layout.ts';
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
 * it stood in the default route domain. Throws EDW_ERR_BIGIP_BIND.
 */
export function layOut(
  policy: CompiledPolicy,
  placements: ReadonlyMap<string, Placement> = new Map(),
  memo: LayoutMemo = new Map(),
): Layout {
  const entries = new Map<string, MapEntry>();
  const groups = new Map<string, DataGroup>();
  const used: LayoutMemo = new Map();
  for (const object of policy.objects) {
    requireFullPath(policy, object);
    const placement = placements.get(object.bind) ?? STANDARD;
    const key = `${object.hash} ${placement.routeDomain}`;
    const own = memo.get(key) ?? groupsOf(object, placement);
    used.set(key, own);
    for (const group of [own.sources, own.requests]) if (group !== null) groups.set(group.name, group);
    entries.set(object.bind, entryOf(policy, object, placement, own));
  }
  memo.clear();
  for (const [key, own] of used) memo.set(key, own);
  const map = mapRecords(entries, policy.revision, policy.hash);
  return {
    revision: policy.revision,
    policyHash: policy.hash,
    mapHash: mapHashOf(map),
    map,
    groups: [...groups.values()],
  };
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
  const map = mapRecords(repaired, layout.revision, layout.policyHash);
  return { ...layout, mapHash: mapHashOf(map), map };
}

function requireFullPath(policy: CompiledPolicy, object: CompiledObject): void {
  if (FULL_PATH.test(object.bind) && object.bind.length <= 255) return;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_BIND',
    `laying out revision ${policy.revision} for ${policy.point}: ${object.name} binds ${JSON.stringify(object.bind)}, which is no full path of a virtual server`,
    { mend: `Write the full path as \`bind\` of ${object.name}, such as /Common/vs_orders.` },
  );
}
