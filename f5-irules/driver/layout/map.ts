import { createHash } from 'node:crypto';
import { compareText, type Mode } from '@edgeward/policy';
import { type DataRecord, type Layout, MAP_HEAD } from './layout.ts';

/** The map: which groups judge a virtual server, and by which revision. Its records are all that a switch writes. */
export interface MapEntry {
  revision: number;
  mode: Mode;
  protocol: 'http' | 'tcp';
  /** Name of the ip group; null: nobody. */
  sources: string | null;
  /** Name of the request group; null: no rule looks at requests. */
  requests: string | null;
  routeDomain: number;
  /** Peers of the sources group may be trusted proxies. */
  proxies: boolean;
  /** Nobody judges requests here: what needs that is denied. */
  blind: boolean;
  /**
   * How often groups were repaired in place. The rules remember what they read of a group under its name and this number,
   * so that what a group said while it was somebody's is never used again.
   */
  repairs: number;
}

interface MapHead {
  revision: number;
  policyHash: string;
  mapHash: string;
  /** Name of the point that wrote it; null where it tells none. */
  point: string | null;
}

export interface PolicyMap {
  head: MapHead;
  /** By virtual server. */
  entries: Map<string, MapEntry>;
}

export function entryText(entry: MapEntry): string {
  const { proxies, blind, repairs } = entry;
  const flags = [proxies ? 'proxies' : '', blind ? 'blind' : '', repairs > 0 ? `r${repairs}` : ''].filter(
    (flag) => flag !== '',
  );
  const words = [entry.revision, entry.mode, entry.protocol, entry.sources ?? '-', entry.requests ?? '-'];
  return [...words, entry.routeDomain, flags.join(',') || '-'].join(' ');
}

/** What a point may be called in the configuration of the service. */
const POINT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Every record of the map, its head included, sorted. */
export function mapRecords(
  entries: ReadonlyMap<string, MapEntry>,
  { revision, policyHash, point }: Pick<Layout, 'revision' | 'policyHash' | 'point'>,
): DataRecord[] {
  const records = [...entries].map(([name, entry]) => ({ name, data: entryText(entry) }));
  const head = ['1', revision, policyHash, mapHashOf(records), ...(POINT.test(point) ? [point] : [])].join(' ');
  return [...records, { name: MAP_HEAD, data: head }].sort((a, b) => compareText(a.name, b.name));
}

/** Of the group itself: a person reads it first, and the probe sees that the map changed. Nothing else is read from it. */
export function mapDescription({ revision, policyHash }: Pick<Layout, 'revision' | 'policyHash'>): string {
  return `Edgeward revision ${revision}, policy ${policyHash.slice(0, 16)}`;
}

/** Hex SHA-256 of the records without the head, whatever their order. */
export function mapHashOf(records: readonly DataRecord[]): string {
  const digest = createHash('sha256');
  for (const { name, data } of [...records].sort((a, b) => compareText(a.name, b.name))) {
    if (name !== MAP_HEAD) digest.update(`${JSON.stringify([name, data])}\n`);
  }
  return digest.digest('hex');
}

/**
 * What a map that was read says. null: no policy, as the iRules see it. Entries that nobody of us can have written are
 * left out; the head's hash tells that something is wrong.
 */
export function readMap(records: readonly DataRecord[]): PolicyMap | null {
  const head = readHead(records.find(({ name }) => name === MAP_HEAD)?.data);
  if (head === null) return null;
  const entries = new Map<string, MapEntry>();
  for (const { name, data } of records) {
    const entry = name === MAP_HEAD ? null : readEntry(data);
    if (entry !== null) entries.set(name, entry);
  }
  return { head, entries };
}

/** No service comes that far: a greater number is somebody's, and numbers that went on from it would run out of digits. */
const MAX_REVISION = 2 ** 40;

function readHead(data: string | undefined): MapHead | null {
  const match = /^1 (\d{1,15}) ([0-9a-f]{64}) ([0-9a-f]{64})(?: ([A-Za-z0-9][A-Za-z0-9._-]{0,62}))?$/.exec(data ?? '');
  if (match === null || Number(match[1]) > MAX_REVISION) return null;
  return { revision: Number(match[1]), policyHash: match[2] ?? '', mapHash: match[3] ?? '', point: match[4] ?? null };
}

const ENTRY =
  /^(\d{1,15}) (enforce|observe|off) (http|tcp) (-|eg_s_[0-9a-f]{20}) (-|eg_r_[0-9a-f]{20}) (\d{1,5}) (-|[a-z0-9,]+)$/;

function readEntry(data: string): MapEntry | null {
  const match = ENTRY.exec(data);
  if (match === null) return null;
  const [, revision, mode, protocol, sources = '-', requests = '-', routeDomain, flags = '-'] = match;
  return {
    revision: Number(revision),
    mode: mode as Mode,
    protocol: protocol as 'http' | 'tcp',
    sources: sources === '-' ? null : sources,
    requests: requests === '-' ? null : requests,
    routeDomain: Number(routeDomain),
    proxies: flags.split(',').includes('proxies'),
    blind: flags.split(',').includes('blind'),
    repairs: Number(/(?:^|,)r([1-9]\d{0,11})(?:,|$)/.exec(flags)?.[1] ?? 0),
  };
}

/** The greatest number that any entry tells, whatever became of the head: a number that was in force is never used again. */
export function repairsIn(records: readonly DataRecord[]): number {
  let greatest = 0;
  for (const { name, data } of records) {
    if (name !== MAP_HEAD) greatest = Math.max(greatest, readEntry(data)?.repairs ?? 0);
  }
  return greatest;
}
