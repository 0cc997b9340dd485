import type { CompiledRule, Mode, ObjectView, PolicyView } from '@edgeward/policy';
import { holds, lookup } from '@edgeward/policy/dialect';
import { loadLastKnown } from './last-known.ts';
import type { Header } from './layout.ts';
import { ACTIVE, classKey, headerKey, modeKey, parseActive } from './layout.ts';
import type { Zone } from './zone-life.ts';

/**
 * The policy in force, as `decide` reads it: three or four reads a verdict, whatever its size. `active` is read once a
 * request, so one verdict sees one revision. An empty zone (NGINX was restarted, or the zone resized) is filled from
 * the file of what was last known before anything is judged.
 */
export function openPolicy(zone: Zone, lastKnownFile: string): PolicyView {
  let text = zone.get(ACTIVE);
  if (text === undefined) {
    loadLastKnown(zone, lastKnownFile);
    text = zone.get(ACTIVE);
  }
  const active = text === undefined ? null : parseActive(text);
  if (active === null)
    return { loaded: false, lastKnownMode: (bind) => (zone.get(modeKey(bind)) as Mode | undefined) ?? null };
  return { loaded: true, revision: active.revision, object: objectReader(zone, active.generation) };
}

/** A request asks for one object, and for a denial more than once; its header is read and parsed the first time. */
function objectReader(zone: Zone, generation: string): (bind: string) => ObjectView | null {
  let asked: string | null = null;
  let object: ObjectView | null = null;
  return (bind) => {
    if (asked === bind) return object;
    const header = zone.get(headerKey(generation, bind));
    object = header === undefined ? null : viewOf(zone, JSON.parse(header) as Header);
    asked = bind;
    return object;
  };
}

function viewOf(zone: Zone, header: Header): ObjectView {
  return {
    protocol: header.protocol,
    mode: header.mode,
    ports: header.ports,
    trusts: (peer) => holds(header.trustedProxies, peer),
    // A balancer has no failsafe of its own: it never stands between an operator and tcp/22 of its host.
    inFailsafe: () => false,
    rulesNaming: (source) => {
      const id = lookup((bucket) => zone.get(header.content + bucket), source);
      const rules = id < 0 ? undefined : zone.get(classKey(header.content, id));
      return rules === undefined ? null : (JSON.parse(rules) as CompiledRule[]);
    },
  };
}
