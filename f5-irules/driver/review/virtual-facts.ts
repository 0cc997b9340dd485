import { FASTL4_PROFILES, HTTP_PROFILES, VIRTUALS } from '../box-paths.ts';
import { readVirtual } from '../held.ts';
import { type Icontrol, type Json, objectPath } from '../icontrol/index.ts';

/** One virtual server, as far as a person has to know it before anything is bound or attached to it. Read only. */
export interface VirtualFacts {
  fullPath: string;
  /** `/Common/10.0.0.1%2:443`; null where it has none of its own. */
  destination: string | null;
  /** 0 is the default route domain. */
  routeDomain: number;
  /** `tcp`, `udp`, `any`, … */
  ipProtocol: string;
  enabled: boolean;
  /** Full paths, in order. */
  rules: string[];
  /** LTM policies. */
  policies: string[];
  hasHttp: boolean;
  isFastL4: boolean;
  /** What it does instead of balancing connections: `reject`, `dhcp-relay`, …; null for most. */
  special: string | null;
  forwards: boolean;
}

export interface Profiles {
  http: ReadonlySet<string>;
  fastL4: ReadonlySet<string>;
}

export async function readProfiles(box: Icontrol): Promise<Profiles> {
  const names = async (path: string): Promise<Set<string>> =>
    new Set((await box.list(path, { $select: 'fullPath' })).map(({ fullPath }) => String(fullPath)));
  return { http: await names(HTTP_PROFILES), fastL4: await names(FASTL4_PROFILES) };
}

/** null: there is no such virtual server. Throws EDW_ERR_BIGIP_NAME for what has no address in iControl REST. */
export async function readVirtualFacts(
  box: Icontrol,
  fullPath: string,
  profiles: Profiles,
): Promise<VirtualFacts | null> {
  const virtual = await box.get(objectPath(VIRTUALS, fullPath), { expandSubcollections: 'true' });
  return virtual === null ? null : factsOf(fullPath, virtual, profiles);
}

const SPECIAL: Record<string, string> = {
  reject: 'it rejects every connection',
  dhcpRelay: 'it relays DHCP',
  internal: 'it is internal, and only called by other virtual servers',
  stateless: 'it is stateless, and runs no rule',
  trafficMatchingCriteria: 'its addresses and ports come from a traffic matching criteria',
};

function factsOf(fullPath: string, virtual: Json, { http, fastL4 }: Profiles): VirtualFacts {
  const profiles = itemsOf(virtual, 'profilesReference');
  const special = Object.keys(SPECIAL).find((key) => isSet(virtual[key]));
  return {
    fullPath,
    destination: typeof virtual.destination === 'string' ? virtual.destination : null,
    ipProtocol: typeof virtual.ipProtocol === 'string' ? virtual.ipProtocol : 'any',
    enabled: !isSet(virtual.disabled),
    ...readVirtual(virtual),
    policies: itemsOf(virtual, 'policiesReference'),
    hasHttp: profiles.some((profile) => http.has(profile)),
    isFastL4: profiles.some((profile) => fastL4.has(profile)),
    special: special === undefined ? null : (SPECIAL[special] ?? null),
    forwards: isSet(virtual.ipForward) || isSet(virtual.l2Forward),
  };
}

/** Flags are `true` where they are set and absent where not; some versions give text. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 'no' && value !== 'false';
}

function itemsOf(virtual: Json, reference: string): string[] {
  const { items } = (virtual[reference] ?? {}) as Json;
  return Array.isArray(items) ? items.map((item: Json) => String(item.fullPath ?? item.name)) : [];
}
