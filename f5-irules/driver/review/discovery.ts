import { compareText } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { VIRTUALS } from '../box-paths.ts';
import { activeUnit } from '../cluster.ts';
import type { Icontrol } from '../icontrol/index.ts';
import { isOwnRule } from './own-rules.ts';
import { readProfiles, readVirtualFacts, type VirtualFacts } from './virtual-facts.ts';

/** The virtual servers of a box, and what each could be in a policy. Guesses no label. Sends GETs only. */
export interface Discovery {
  point: string;
  unit: string;
  url: string;
  /** By full path. */
  virtuals: DiscoveredVirtual[];
}

export interface DiscoveredVirtual {
  fullPath: string;
  /** What a VirtualServer document would say of it; null where there can be none, and `remarks` say why. */
  object: { ports: string[]; protocol: 'http' | 'tcp' } | null;
  enabled: boolean;
  /** A rule of Edgeward is attached. */
  attached: boolean;
  /** What a person should know before protecting it; texts of the box stand in them as they are. */
  remarks: string[];
}

export interface DiscoveryTask {
  point: string;
  boxes: readonly Icontrol[];
  /** Full paths that are not looked at. */
  without: ReadonlySet<string>;
  /** Told before each virtual server. */
  progress?: (done: number, all: number) => void;
}

export async function discoverVirtuals({ point, boxes, without, progress }: DiscoveryTask): Promise<Discovery> {
  const { box, name: unit } = await activeUnit(point, boxes, null);
  const listed = await box.list(VIRTUALS, { $select: 'fullPath' });
  const names = listed.map(({ fullPath }) => String(fullPath)).filter((name) => !without.has(name));
  names.sort(compareText);
  const profiles = await readProfiles(box);
  const virtuals: DiscoveredVirtual[] = [];
  for (const [index, name] of names.entries()) {
    progress?.(index, names.length);
    try {
      const facts = await readVirtualFacts(box, name, profiles);
      // Deleted since it was listed.
      if (facts !== null) virtuals.push(describeVirtual(facts));
    } catch (thrown) {
      if (!(thrown instanceof EdgewardError) || thrown.code !== 'EDW_ERR_BIGIP_NAME') throw thrown;
      virtuals.push({
        ...NOT_READ,
        fullPath: name,
        remarks: [`it can't be addressed in iControl REST: ${thrown.mend}`],
      });
    }
  }
  return { point, unit, url: box.url, virtuals };
}

const NOT_READ = { object: null, enabled: true, attached: false };

/** What `bind` of a VirtualServer document may be. */
const BIND = /^\/[A-Za-z0-9][A-Za-z0-9._/-]{0,253}$/;

export function describeVirtual(facts: VirtualFacts): DiscoveredVirtual {
  const { fullPath, enabled, hasHttp, special } = facts;
  const attached = facts.rules.some(isOwnRule);
  const found = portsOf(facts);
  const obstacle = BIND.test(fullPath) ? (special ?? found.obstacle) : 'no `bind` can name it: rename it on the BIG-IP';
  const all = { fullPath, enabled, attached };
  if (obstacle !== null) return { ...all, object: null, remarks: [obstacle] };
  const protocol = hasHttp && found.protocol === 'tcp' ? 'http' : 'tcp';
  return { ...all, object: { ports: found.ports, protocol }, remarks: [...found.remarks, ...remarksOn(facts)] };
}

function remarksOn({ enabled, rules, policies, isFastL4, hasHttp, forwards, ...facts }: VirtualFacts): string[] {
  const foreign = rules.filter((rule) => !isOwnRule(rule));
  const remarks: [boolean, string][] = [
    [!enabled, 'it is disabled: nothing reaches it now'],
    [isFastL4, 'it is a FastL4 virtual server: connections can be judged, requests never'],
    [forwards, 'it forwards packets: connections through it are judged, to whatever address'],
    [hasHttp && facts.ipProtocol === 'udp', 'requests over UDP (HTTP/3) are not judged; flows are'],
    [
      rules.some(isOwnRule),
      'a rule of Edgeward is attached already: without a policy for it, everything is denied there',
    ],
    [foreign.length > 0, `its own rules: ${foreign.join(', ')}`],
    [policies.length > 0, `LTM policies run before every rule: ${policies.join(', ')}`],
  ];
  return remarks.flatMap(([is, words]) => (is ? [words] : []));
}

interface Ports {
  ports: string[];
  protocol: 'tcp' | 'udp' | 'any';
  remarks: string[];
  obstacle: string | null;
}

function portsOf({ destination, ipProtocol }: VirtualFacts): Ports {
  const none = { ports: [], protocol: 'any' as const, remarks: [] };
  if (ipProtocol !== 'tcp' && ipProtocol !== 'udp' && ipProtocol !== 'any')
    return { ...none, obstacle: `it carries ${ipProtocol}, and only TCP and UDP are judged` };
  const port = portIn(destination ?? '');
  if (port === null) return { ...none, obstacle: `the port of its destination ${destination ?? ''} is not known here` };
  const range = port === 0 ? '1-65535' : String(port);
  const protocols = ipProtocol === 'any' ? ['tcp', 'udp'] : [ipProtocol];
  const remarks: [boolean, string][] = [
    [port === 0, 'it listens on every port: list those that are meant to be reached'],
    [ipProtocol === 'any', 'it carries every protocol: only TCP and UDP are judged'],
  ];
  return {
    ports: protocols.map((protocol) => `${protocol}/${range}`),
    protocol: ipProtocol,
    remarks: remarks.flatMap(([is, words]) => (is ? [words] : [])),
    obstacle: null,
  };
}

/** As BIG-IP names them; iControl REST gives numbers for most. 0 is every port. */
const SERVICES: Record<string, number> = {
  ...{ any: 0, ftp: 21, ssh: 22, telnet: 23, smtp: 25, domain: 53, http: 80, pop3: 110, ntp: 123, imap: 143 },
  ...{ snmp: 161, ldap: 389, https: 443, syslog: 514, ldaps: 636, ftps: 990, imaps: 993, pop3s: 995 },
  ...{ 'ms-sql-s': 1433, radius: 1812, mysql: 3306, sip: 5060, sips: 5061, postgresql: 5432, 'http-alt': 8008 },
  ...{ webcache: 8080 },
};

/** `/Common/10.0.0.1%2:443`, `/Common/2001:db8::1%2.443`, `/Common/any:0` */
function portIn(destination: string): number | null {
  const address = destination.slice(destination.lastIndexOf('/') + 1);
  const isV6 = address.split(':').length > 2 || address.startsWith('any6');
  const port = address.slice(address.lastIndexOf(isV6 ? '.' : ':') + 1);
  if (port === address) return null;
  if (/^\d{1,5}$/.test(port)) return Number(port) <= 65_535 ? Number(port) : null;
  return Object.hasOwn(SERVICES, port) ? (SERVICES[port] ?? null) : null;
}
