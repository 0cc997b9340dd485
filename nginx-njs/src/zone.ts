import type { Mode, ObjectView, PolicyView } from '@edgeward/policy';
import { holds, listsPort, lookup } from '@edgeward/policy/dialect';
import { loadLastKnown } from './last-known.ts';
import type { Header } from './layout.ts';
import {
  ACTIVE,
  changedBucket,
  classKey,
  headerKey,
  modeKey,
  parseHeader,
  parsePorts,
  parseRules,
  slotKey,
  slotOf,
} from './layout.ts';
import type { Zone } from './zone-life.ts';

/**
 * The policy in force, as `decide` reads it: three or four reads a verdict, whatever its size. `active` is read once a
 * request, so one verdict sees one revision. An empty zone (NGINX was restarted, or the zone resized) is filled from
 * the file of what was last known before anything is judged.
 */
export function openPolicy(zone: Zone, lastKnownFile: () => string): PolicyView {
  let active = zone.get(ACTIVE);
  if (active === undefined) {
    loadLastKnown(zone, lastKnownFile());
    active = zone.get(ACTIVE);
  }
  if (active === undefined)
    return { loaded: false, lastKnownMode: (bind) => (zone.get(modeKey(bind)) as Mode | undefined) ?? null };
  // Cut by place: whoever wrote it has checked its form, and a pattern costs as much as all reads together.
  const revision = Number(active.slice(13, active.indexOf(' ', 13)));
  return { loaded: true, revision, object: objectReader(zone, active.slice(0, 12)) };
}

/** A request asks for one object, and for a denial more than once; its header is read and parsed the first time. */
function objectReader(zone: Zone, generation: string): (bind: string) => ObjectView | null {
  let asked: string | null = null;
  let object: ObjectView | null = null;
  return (bind) => {
    if (asked === bind) return object;
    const header = zone.get(headerKey(generation, bind));
    object = header === undefined ? null : viewOf(zone, parseHeader(header));
    asked = bind;
    return object;
  };
}

function viewOf(zone: Zone, header: Header): ObjectView {
  return {
    protocol: header.protocol,
    mode: header.mode,
    lists: (port) => lists(header.ports, port),
    trusts: (peer) => holds(header.trustedProxies, peer),
    // A balancer has no failsafe of its own: it never stands between an operator and tcp/22 of its host.
    inFailsafe: () => false,
    rulesNaming: (source) => {
      const id = lookup(bucketReader(zone, header), source);
      const rules = id < 0 ? undefined : zone.get(classKey(header.rules, id));
      return rules === undefined ? null : parseRules(rules);
    },
  };
}

/** Whether `tcp/443` is among them. Most objects have one port, which is compared as it is written. */
function lists(ports: Header['ports'], port: string): boolean {
  const digits = port.slice(4);
  return ports === `${port.slice(0, 3)}:${digits}:${digits}` || listsPort(parsePorts(ports), port);
}

/** One read a bucket; where a delta touches the bucket's slot, one more. */
function bucketReader(zone: Zone, header: Header): (bucket: string) => string | undefined {
  const content = header.content;
  const delta = header.delta;
  if (delta === null) return (bucket) => zone.get(content + bucket);
  return (bucket) => {
    const slot = slotOf(bucket);
    if (header.slots.charAt(parseInt(slot, 16)) === '0') return zone.get(content + bucket);
    const changes = zone.get(slotKey(delta, slot));
    // What it took away would be back if the table answered in its place.
    if (changes === undefined) throw new Error(`slot ${slot} of the delta ${delta} is not in the zone`);
    const value = changedBucket(changes, bucket);
    if (value === null) return zone.get(content + bucket);
    return value === '' ? undefined : value;
  };
}
