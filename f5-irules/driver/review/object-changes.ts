import { type CompiledPolicy, compareText } from '@edgeward/policy';
import { INTERNAL_GROUPS, inPartition } from '../box-paths.ts';
import { listGroups, type StoredGroup } from '../groups.ts';
import type { Held } from '../held.ts';
import { type Icontrol, objectPath, recordsOf } from '../icontrol/index.ts';
import { type DataGroup, type DataRecord, entryText, type Layout, type MapEntry, readMap } from '../layout/index.ts';
import { compareFlows, type FlowChanges, type Side } from './flow-changes.ts';
import { readRequests } from './request-records.ts';

/** What would change for each virtual server. Reads the groups in force, and of those that changed only. */
export interface ObjectChange {
  /** Full path of the virtual server. */
  bind: string;
  /** Name in the policy; null where the policy has none for it any more. */
  object: string | null;
  /** `same`: at most its revision changes. */
  change: 'new' | 'gone' | 'changed' | 'same';
  before: Settings | null;
  after: Settings | null;
  /** null where a side can't be read: `unread` says what is known. */
  flows: FlowChanges | null;
  unread: Unread | null;
}

type Settings = Omit<MapEntry, 'proxies'>;

/** Groups whose records nobody can read back: a file on the box tells no more than its name and its checksum. */
export interface Unread {
  before: string;
  /** null: nobody is let through. */
  after: { name: string; records: number; bytes: number } | null;
}

export interface Comparison {
  box: Icontrol;
  held: Held;
  layout: Layout;
  policy: CompiledPolicy;
  /** Groups that would be mended: what they hold is not what their names say. */
  damaged: ReadonlyMap<string, readonly DataRecord[] | null>;
}

export async function compareObjects(task: Comparison): Promise<ObjectChange[]> {
  const { box, held, layout, policy } = task;
  const before = held.map?.policy?.entries ?? new Map<string, MapEntry>();
  const after = readMap(layout.map)?.entries ?? new Map<string, MapEntry>();
  const names = new Map(policy.objects.map(({ bind, name }) => [bind, name]));
  const reader = groupReader(box, task);
  const changes: ObjectChange[] = [];
  for (const bind of [...new Set([...before.keys(), ...after.keys()])].sort(compareText)) {
    const [old, now] = [before.get(bind) ?? null, after.get(bind) ?? null];
    const flows = await flowsOf(reader, old, now);
    changes.push({
      bind,
      object: names.get(bind) ?? null,
      change: changeOf(old, now, flows),
      before: old && settingsOf(old),
      after: now && settingsOf(now),
      ...flows,
    });
  }
  return changes;
}

type Compared = Pick<ObjectChange, 'flows' | 'unread'>;

const NOTHING: FlowChanges = { gained: [], lost: [], trusted: { gained: [], lost: [] }, reworded: 0 };

function settingsOf({ proxies: _, ...settings }: MapEntry): Settings {
  return settings;
}

function changeOf(old: MapEntry | null, now: MapEntry | null, { flows, unread }: Compared): ObjectChange['change'] {
  if (old === null) return 'new';
  if (now === null) return 'gone';
  const isQuiet = flows !== null && unread === null && JSON.stringify(flows) === JSON.stringify(NOTHING);
  return isQuiet && entryText({ ...old, revision: 0 }) === entryText({ ...now, revision: 0 }) ? 'same' : 'changed';
}

interface GroupReader {
  /** As it is on the box; `unreadable`: a file. */
  held(name: string): Promise<readonly DataRecord[] | 'unreadable'>;
  desired(name: string): DataGroup | null;
  isDamaged(name: string): boolean;
}

async function flowsOf(reader: GroupReader, old: MapEntry | null, now: MapEntry | null): Promise<Compared> {
  const isAlike = old !== null && now !== null && sameJudging(old, now);
  const isWhole = ![old?.sources, old?.requests].some((name) => typeof name === 'string' && reader.isDamaged(name));
  if (isAlike && isWhole) return { flows: NOTHING, unread: null };
  const records = old?.sources == null ? [] : await reader.held(old.sources);
  const group = now?.sources == null ? null : reader.desired(now.sources);
  if (records === 'unreadable') {
    const after = group && { name: group.name, records: group.size, bytes: group.bytes };
    return { flows: null, unread: { before: old?.sources ?? '', after } };
  }
  const requests = old?.requests == null ? [] : await reader.held(old.requests);
  const before = old && sideOf(old, records, requests === 'unreadable' ? [] : requests);
  const wanted = now?.requests == null ? null : reader.desired(now.requests);
  const after = now && sideOf(now, group?.records() ?? [], wanted?.records() ?? []);
  return { flows: compareFlows(before, after), unread: null };
}

/** Everything but revision and mode, and the route domain in which the same is said. */
function sameJudging(old: MapEntry, now: MapEntry): boolean {
  const plain = (entry: MapEntry): string => entryText({ ...entry, revision: 0, mode: 'off', routeDomain: 0 });
  return plain(old) === plain(now);
}

function sideOf(entry: MapEntry, records: Iterable<DataRecord>, requests: Iterable<DataRecord>): Side {
  return { records, requests: readRequests(requests), blind: entry.blind, proxies: entry.proxies };
}

function groupReader(box: Icontrol, { damaged, layout }: Comparison): GroupReader {
  const desired = new Map(layout.groups.map((group) => [group.name, group]));
  let stored: Promise<Map<string, StoredGroup>> | null = null;
  return {
    desired: (name) => desired.get(name) ?? null,
    isDamaged: (name) => damaged.has(name),
    async held(name) {
      const known = damaged.get(name);
      if (known !== undefined) return known ?? 'unreadable';
      stored ??= listGroups(box);
      const group = (await stored).get(name);
      // A group that is missing lets nobody through: the rule fails, and denies.
      if (group === undefined) return [];
      if (group.storage === 'external') return 'unreadable';
      return recordsOf((await box.get(objectPath(INTERNAL_GROUPS, inPartition(name)))) ?? {});
    },
  };
}
