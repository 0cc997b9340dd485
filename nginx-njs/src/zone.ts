import type { AddressKey, Mode, ObjectView, PolicyView } from '@edgeward/policy';
import { holds, listsPort, lookup } from '@edgeward/policy/dialect';
import { changedReader } from './changed-reader.ts';
import { loadLastKnown } from './last-known.ts';
import type { Header } from './layout.ts';
import { ACTIVE, classKey, headerKey, modeKey, parseHeader, parsePorts, parseRules } from './layout.ts';
import type { Zone } from './zone-life.ts';

/** What was read of the zone for one request before `decide` was asked, so that it is read once, and of one revision. */
export interface ReadAlready {
  active: string;
  bind: string;
  /** Of that object. */
  header: string;
  /** Whose rules were looked up; null: nobody's. */
  source: AddressKey | null;
  /** Of that source; undefined: none name it. */
  rules: string | undefined;
  /** Whether that is the verdict already: the object is enforced, and whom no rule names is denied. */
  isUnknown: boolean;
}

/**
 * The policy in force, as `decide` reads it: three or four reads a verdict, whatever its size. `active` is read once a
 * request, so one verdict sees one revision. An empty zone (NGINX was restarted, or the zone resized) is filled from
 * the file of what was last known before anything is judged.
 */
export function openPolicy(zone: Zone, lastKnownFile: () => string, already?: ReadAlready | null): PolicyView {
  const known = already || null;
  let active = known === null ? zone.get(ACTIVE) : known.active;
  if (active === undefined) {
    loadLastKnown(zone, lastKnownFile());
    active = zone.get(ACTIVE);
  }
  if (active === undefined)
    return { loaded: false, lastKnownMode: (bind) => (zone.get(modeKey(bind)) as Mode | undefined) ?? null };
  // Cut by place: whoever wrote it has checked its form, and a pattern costs as much as all reads together.
  const revision = Number(active.slice(13, active.indexOf(' ', 13)));
  return { loaded: true, revision, object: objectReader(zone, active.slice(0, 12), known) };
}

/** A request asks for one object, and for a denial more than once; its header is read and parsed the first time. */
function objectReader(zone: Zone, generation: string, known: ReadAlready | null): (bind: string) => ObjectView | null {
  let asked: string | null = null;
  let object: ObjectView | null = null;
  return (bind) => {
    if (asked === bind) return object;
    const isKnown = known !== null && known.bind === bind;
    const header = isKnown ? known.header : zone.get(headerKey(generation, bind));
    object = header === undefined ? null : viewOf(zone, parseHeader(header), isKnown ? known : null);
    asked = bind;
    return object;
  };
}

function viewOf(zone: Zone, header: Header, known: ReadAlready | null): ObjectView {
  return {
    protocol: header.protocol,
    mode: header.mode,
    lists: (port) => lists(header.ports, port),
    trusts: (peer) => holds(header.trustedProxies, peer),
    // A balancer has no failsafe of its own: it never stands between an operator and tcp/22 of its host.
    inFailsafe: () => false,
    rulesNaming: (source) => {
      const rules = known !== null && known.source === source ? known.rules : readRules(zone, header, source);
      return rules === undefined ? null : parseRules(rules);
    },
  };
}

function readRules(zone: Zone, header: Header, source: AddressKey): string | undefined {
  const id = lookup(bucketReader(zone, header), source);
  return id < 0 ? undefined : zone.get(classKey(header.rules, id));
}

/** Whether `tcp/443` is among them. Most objects have one port, which is compared as it is written. */
function lists(ports: Header['ports'], port: string): boolean {
  const digits = port.slice(4);
  return ports === `${port.slice(0, 3)}:${digits}:${digits}` || listsPort(parsePorts(ports), port);
}

function bucketReader(zone: Zone, header: Header): (bucket: string) => string | undefined {
  const content = header.content;
  if (header.delta === null) return (bucket) => zone.get(content + bucket);
  return changedReader(zone, content, header.delta, header.slots);
}
