/**
 * Which resource a path below /mgmt/tm names: a collection, an object, what belongs to an object. Kinds with rules of their
 * own come from the configuration; of the many others those that a BIG-IP is known to have, so that foreign configuration
 * can be kept and a misspelt path is still an error.
 */
import type { BoxConfig } from '../config/box-config.ts';
import { type KindDescription, kindAtPath, kindOf, knownKinds, type Subcollection } from '../config/kinds.ts';

export type Resource =
  | { form: 'collection'; description: KindDescription }
  | { form: 'object'; description: KindDescription; fullPath: string }
  | { form: 'stats'; description: KindDescription; fullPath: string | null }
  | { form: 'part'; description: KindDescription; fullPath: string; part: Subcollection; item: string | null };

const others = [
  'auth user',
  'cm device-group',
  'cm traffic-group',
  'cm trust-domain',
  'ltm eviction-policy',
  'ltm ifile',
  'ltm nat',
  'ltm policy-strategy',
  'ltm snat',
  'ltm snat-translation',
  'ltm snatpool',
  'ltm traffic-class',
  'ltm virtual-address',
  'net interface',
  'net route',
  'net self',
  'net trunk',
  'net tunnels tunnel',
  'net vlan',
  'security firewall address-list',
  'security firewall policy',
  'security firewall port-list',
  'security log profile',
  'sys application service',
  'sys application template',
  'sys db',
  'sys file external-monitor',
  'sys file ifile',
  'sys file ssl-cert',
  'sys file ssl-key',
  'sys log-config filter',
  'sys management-ip',
  'sys management-route',
  'sys provision',
];
/** Whatever word follows one of these names a kind. */
const families = ['gtm', 'ltm cipher', 'ltm monitor', 'ltm persistence', 'ltm profile', 'sys log-config destination'];

const known = new Set([...knownKinds.map(({ kind }) => kind), ...others]);

/** Segments below /mgmt, decoded. Null when a BIG-IP has no such path. */
export function resourceAt(segments: readonly string[], config: BoxConfig): Resource | null {
  const found = kindAt(segments, config);
  if (found === null) return null;
  const { description, rest } = found;
  const [name, property, item] = rest;
  if (name === undefined) return { form: 'collection', description };
  if (name === 'stats' && rest.length === 1) return { form: 'stats', description, fullPath: null };
  const fullPath = fullPathOf(name, description, config);
  if (property === undefined) return { form: 'object', description, fullPath };
  if (property === 'stats' && rest.length === 2) return { form: 'stats', description, fullPath };
  const part = partsOf(description).find((other) => other.property === property);
  if (part === undefined || rest.length > 3) return null;
  return { form: 'part', description, fullPath, part, item: item === undefined ? null : item.replaceAll('~', '/') };
}

/** `/Common/x` of `~Common~x`; a bare name of a thing in folders is one of Common. */
function fullPathOf(name: string, description: KindDescription, config: BoxConfig): string {
  if (name.startsWith('~')) return name.replaceAll('~', '/');
  return description.naming !== 'object' || config.get(description.kind, name) !== null ? name : `/Common/${name}`;
}

/** What has a path of its own below an object. */
export function partsOf(description: KindDescription): Subcollection[] {
  if (description.kind !== 'cm device-group') return description.subcollections;
  const stem = 'tm:cm:device-group:devices:devices';
  return [{ property: 'devices', state: `${stem}state`, collection: `${stem}collectionstate` }];
}

function kindAt(
  segments: readonly string[],
  config: BoxConfig,
): { description: KindDescription; rest: readonly string[] } | null {
  if (segments[0] !== 'tm') return null;
  for (let length = Math.min(segments.length, 6); length >= 3; length -= 1) {
    const kind = segments.slice(1, length).join(' ');
    if (isKind(kind, config)) return { description: kindOf(kind), rest: segments.slice(length) };
  }
  const written = segments.map(encodeURIComponent).join('/');
  const guessed = kindAtPath(written);
  if (guessed === null || !isKind(guessed.description.kind, config)) return null;
  return { description: guessed.description, rest: segments.slice(segments.length - guessed.rest.length) };
}

function isKind(kind: string, config: BoxConfig): boolean {
  if (known.has(kind)) return true;
  const words = kind.split(' ');
  if (families.includes(words.slice(0, -1).join(' '))) return true;
  return words.length <= 4 && config.list(kind).length > 0;
}
