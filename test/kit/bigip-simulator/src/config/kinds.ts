/**
 * What a kind of object is called: by tmsh, by a REST path, in REST's `kind`, by mcpd's messages. One table for
 * everyone who has to translate. A kind that is not listed gets its names by the general scheme, and is kept as it came.
 */
import type { Kind } from './box-config.ts';

export interface KindDescription {
  /** As tmsh says it. */
  kind: Kind;
  /** Below `/mgmt/`: `tm/ltm/data-group/internal`. */
  path: string;
  /** `tm:ltm:data-group:internal:internalstate` */
  state: string;
  /** `tm:ltm:data-group:internal:internalcollectionstate` */
  collection: string;
  /** In `The requested … (/Common/x) was not found.` */
  title: string;
  /** In `The … cannot be deleted because it is in use by …`. */
  inUseTitle: string;
  /** `partition`: a bare name, in no folder. `folder`: itself a path. */
  naming: 'object' | 'partition' | 'folder';
  /** Arrays of named objects that REST shows at a path of their own instead of inline. */
  subcollections: Subcollection[];
}

export interface Subcollection {
  /** In `properties`, and the last segment of its REST path. */
  property: string;
  state: string;
  collection: string;
}

const PROFILES = 'analytics client-ssl fasthttp fastl4 ftp http http2 one-connect server-ssl tcp udp websocket'.split(
  ' ',
);

/** Kind, title, title when in use, and what else is not by the general scheme. */
const KNOWN: [Kind, string, string?, Partial<KindDescription>?][] = [
  ['auth partition', 'partition', 'partition', { naming: 'partition' }],
  ['sys folder', 'folder', 'folder', { naming: 'folder' }],
  ['net route-domain', 'route domain'],
  ['sys file data-group', 'data group file'],
  ['ltm data-group internal', 'value list'],
  ['ltm data-group external', 'value list'],
  ['ltm node', 'Node'],
  ['ltm pool', 'Pool', 'Pool', { subcollections: [subcollection('ltm pool', 'members')] }],
  ...PROFILES.map((name): [Kind, string] => [`ltm profile ${name}`, 'profile']),
  ['ltm policy', 'policy', 'policy', { subcollections: [subcollection('ltm policy', 'rules')] }],
  ['ltm rule', 'iRule', 'rule'],
  ['sys log-config destination remote-high-speed-log', 'log destination'],
  ['sys log-config destination remote-syslog', 'log destination'],
  ['sys log-config destination splunk', 'log destination'],
  ['sys log-config publisher', 'log publisher'],
  [
    'ltm virtual',
    'Virtual Server',
    'virtual server',
    { subcollections: [subcollection('ltm virtual', 'profiles'), subcollection('ltm virtual', 'policies')] },
  ],
];

const BY_KIND = new Map(KNOWN.map(([kind, ...names]) => [kind, describe(kind, ...names)]));
const BY_PATH = new Map([...BY_KIND.values()].map((description) => [description.path, description]));

/** Those with rules of their own, in the order in which a configuration file lists them. */
export const knownKinds: readonly KindDescription[] = [...BY_KIND.values()];
export const profileKinds: readonly Kind[] = PROFILES.map((name) => `ltm profile ${name}`);

export function kindOf(kind: Kind): KindDescription {
  return BY_KIND.get(kind) ?? describe(kind, kind.split(' ').at(-1) ?? kind);
}

/**
 * Splits a path below `/mgmt/` (no query, segments still encoded) into the kind and what follows it. A kind that is not
 * listed ends where a segment begins with `~`; null when the path is not one of `tm`.
 */
export function kindAtPath(path: string): { description: KindDescription; rest: string[] } | null {
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments[0] !== 'tm' || segments.length < 3) return null;
  for (let length = segments.length; length >= 3; length--) {
    const description = BY_PATH.get(segments.slice(0, length).join('/'));
    if (description !== undefined) return { description, rest: segments.slice(length) };
  }
  const name = segments.findIndex((segment) => segment.startsWith('~'));
  const end = name === -1 ? segments.length : name;
  return { description: kindOf(segments.slice(1, end).join(' ')), rest: segments.slice(end) };
}

function describe(
  kind: Kind,
  title: string,
  inUseTitle = title,
  special: Partial<KindDescription> = {},
): KindDescription {
  const words = kind.split(' ');
  const stem = `tm:${words.join(':')}:${words.at(-1)}`;
  return {
    kind,
    path: `tm/${words.join('/')}`,
    state: `${stem}state`,
    collection: `${stem}collectionstate`,
    title,
    inUseTitle,
    naming: 'object',
    subcollections: [],
    ...special,
  };
}

function subcollection(kind: Kind, property: string): Subcollection {
  const stem = `tm:${kind.split(' ').join(':')}:${property}:${property}`;
  return { property, state: `${stem}state`, collection: `${stem}collectionstate` };
}
