/** `ltm virtual`: where it listens, which profiles it has, and its rules in the order in which they run. */
import { type Address, hostMask, networkText, parseNetwork } from '../address.ts';
import type { ConfigObject, Properties } from '../box-config.ts';
import { invalidProperty, notFound, sharesDestination } from '../mcpd-errors.ts';
import { merged, type ObjectRules, type Reference, type Write } from '../object-rules.ts';
import { absolute, folderOf, nameOf, partitionOf } from '../paths.ts';
import { named, text, withoutAbsent, words } from '../property-values.ts';
import type { View } from '../state.ts';
import { destinationText, parseDestination } from './destination.ts';
import { profileKindAt } from './profile.ts';
import { checkHttpProfile, rulesOf } from './rule.ts';

interface VirtualProfile {
  name: string;
  partition: string;
  fullPath: string;
  context: string;
}

const virtualDefaults: Properties = {
  addressStatus: 'yes',
  autoLasthop: 'default',
  cmpEnabled: 'yes',
  connectionLimit: 0,
  enabled: true,
  evictionProtected: 'disabled',
  gtmScore: 0,
  mirror: 'disabled',
  mobileAppTunnel: 'disabled',
  nat64: 'disabled',
  rateLimit: 'disabled',
  rateLimitDstMask: 0,
  rateLimitMode: 'object',
  rateLimitSrcMask: 0,
  serviceDownImmediateAction: 'none',
  sourceAddressTranslation: { type: 'none' },
  sourcePort: 'preserve',
  synCookieStatus: 'not-activated',
  translateAddress: 'enabled',
  translatePort: 'enabled',
  vlansDisabled: true,
};

export const virtual: ObjectRules = {
  defaults: virtualDefaults,
  properties(write, _box, view) {
    const folder = folderOf(write.fullPath);
    const all = merged(write, virtualDefaults);
    const destination = parseDestination(text(all, 'destination') ?? '', folder);
    const profiles = profilesOf(write, all, view);
    const pool = text(all, 'pool');
    return withoutAbsent({
      ...all,
      destination: destinationText(destination),
      ipProtocol: text(all, 'ipProtocol') ?? protocolOf(profiles, view),
      mask: text(all, 'mask') ?? maskOf(destination.address),
      source: sourceOf(text(all, 'source'), destination.address),
      pool: pool === undefined ? undefined : absolute(pool, folder),
      profiles,
      rules: rulesSaid(all, folder),
    });
  },
  references({ properties }) {
    const references: Reference[] = [];
    if (typeof properties.pool === 'string') references.push({ family: 'pool', fullPath: properties.pool });
    for (const { fullPath } of attached(properties)) references.push({ family: 'profile', fullPath });
    for (const fullPath of words(properties, 'rules')) references.push({ family: 'rule', fullPath });
    return references;
  },
  check(object, view, box) {
    checkRouteDomain(object, view);
    checkAlone(object, view);
    for (const path of rulesOf(object)) {
      const rule = view.get('ltm rule', path);
      if (rule !== null) checkHttpProfile(object, rule, view, box);
    }
  },
};

const attached = (properties: Properties): readonly VirtualProfile[] =>
  (properties.profiles as readonly VirtualProfile[] | undefined) ?? [];

function rulesSaid(all: Properties, folder: string): string[] {
  const rules = words(all, 'rules').map((name) => absolute(name, folder));
  const twice = rules.find((path, index) => rules.indexOf(path) !== index);
  if (twice !== undefined) throw invalidProperty('rules', twice);
  return rules;
}

function profilesOf(write: Write, all: Properties, view: View): VirtualProfile[] {
  const said = named(all, 'profiles');
  if (said.length === 0) return [asProfile('/Common/fastL4', 'all')];
  const found = new Map<string, VirtualProfile>();
  if (write.origin === 'text' && write.before !== null)
    for (const stood of attached(write.before)) found.set(stood.fullPath, stood);
  for (const { name, partition, context } of said) {
    const folder = typeof partition === 'string' ? `/${partition}` : folderOf(write.fullPath);
    const fullPath = profilePath(name, folder, view);
    found.set(fullPath, asProfile(fullPath, typeof context === 'string' ? context : contextOf(fullPath, view)));
  }
  return [...found.values()].sort((a, b) => (a.fullPath < b.fullPath ? -1 : 1));
}

const asProfile = (fullPath: string, context: string): VirtualProfile => ({
  name: nameOf(fullPath),
  partition: partitionOf(fullPath),
  fullPath,
  context,
});

/** Beside the virtual server, else the built-in one of that name. */
function profilePath(name: string, folder: string, view: View): string {
  const near = absolute(name, folder);
  return profileKindAt(near, view) === null && profileKindAt(absolute(name, '/Common'), view) !== null
    ? absolute(name, '/Common')
    : near;
}

function contextOf(fullPath: string, view: View): string {
  const kind = profileKindAt(fullPath, view);
  if (kind === 'ltm profile client-ssl') return 'clientside';
  return kind === 'ltm profile server-ssl' ? 'serverside' : 'all';
}

function protocolOf(profiles: readonly VirtualProfile[], view: View): string {
  const kinds = profiles.map(({ fullPath }) => profileKindAt(fullPath, view));
  if (kinds.includes('ltm profile udp')) return 'udp';
  return kinds.includes('ltm profile fastl4') ? 'any' : 'tcp';
}

const isWildcard = ({ groups }: Address): boolean => groups.every((group) => group === 0);

function maskOf(address: Address): string {
  if (!isWildcard(address)) return hostMask(address.family);
  return address.family === 4 ? 'any' : 'any6';
}

function sourceOf(said: string | undefined, { family, routeDomain }: Address): string {
  const domain = routeDomain === 0 ? '' : `%${routeDomain}`;
  const network = parseNetwork(said ?? `${family === 4 ? '0.0.0.0' : '::'}${domain}/0`);
  if (network === null) throw invalidProperty('source', said);
  return networkText(network);
}

function checkRouteDomain({ properties, fullPath }: ConfigObject, view: View): void {
  const { address } = parseDestination(String(properties.destination), folderOf(fullPath));
  if (address.routeDomain === 0) return;
  for (const { properties: domain } of view.all('net route-domain')) if (domain.id === address.routeDomain) return;
  throw notFound('route domain', String(address.routeDomain));
}

/** Address without its folder, port, protocol and source: what must differ between two of them. */
const placeOf = ({ properties }: ConfigObject): string =>
  [nameOf(String(properties.destination)), properties.mask, properties.ipProtocol, properties.source].join(' ');

function checkAlone(object: ConfigObject, view: View): void {
  const place = placeOf(object);
  for (const other of view.all('ltm virtual'))
    if (other.fullPath !== object.fullPath && placeOf(other) === place)
      throw sharesDestination(object.fullPath, other.fullPath);
}
