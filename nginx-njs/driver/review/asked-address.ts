/**
 * Whose address a server would judge for a request: the TCP peer, what realip makes of it (ngx_http_realip_module of 1.26,
 * followed line by line), and what `trustedProxies` of the policy make of that. Each step says why.
 */
import { type AddressKey, type CompiledPolicy, contains, formatAddress, parseAddress, viewOf } from '@edgeward/policy';
import { judgedAddress } from '@edgeward/policy/dialect';
import { type Directive, readDump } from './configuration.ts';
import { believedPeers, type RealAddress, realAddressOf } from './real-address.ts';
import { inherited, type Server, serversOf } from './servers.ts';
import type { StreamServer } from './streams.ts';

export interface AskedRequest {
  /** Who connects: an address, or `unix:`. */
  from: string;
  /** In the order of the request; names in any case. */
  headers: readonly (readonly [name: string, value: string])[];
  /** The address in the PROXY protocol, where whoever connects sends one. */
  proxied: string | null;
}

export interface AskedAddress {
  file: string;
  line: number;
  title: string;
  listeners: string[];
  isProtected: boolean;
  /** `$remote_addr` of NGINX; null: not an address. */
  remoteAddress: string | null;
  /** What the policy compares; the same where it has no `trustedProxies`. */
  judged: string | null;
  /** Step by step. */
  because: string[];
}

export function askedAddresses(dump: string, request: AskedRequest, policy: CompiledPolicy | null): AskedAddress[] {
  const { servers, http, streams, stream } = serversOf(readDump(dump));
  const asked = servers
    .filter(({ isPush }) => !isPush)
    .map((server) => {
      const because: string[] = [];
      const remote = realAddress(realAddressOf(server, http), server, request, because);
      const judged = remote === null ? null : byPolicy(server, remote, request, policy, because);
      return {
        ...{ file: server.file, line: server.line, title: server.title },
        listeners: server.listeners.map(({ text }) => text),
        isProtected: server.hook !== null,
        remoteAddress: remote === null ? null : formatAddress(remote),
        judged: judged === null ? null : formatAddress(judged),
        because,
      };
    });
  return [...asked, ...streams.filter(({ isPush }) => !isPush).map((it) => askedConnection(it, stream, request))];
}

/** The stream module believes the PROXY protocol and nothing else; what a policy trusts is about headers. */
function askedConnection(server: StreamServer, stream: readonly Directive[], request: AskedRequest): AskedAddress {
  const real: RealAddress = {
    ...believedPeers(inherited(server, stream, 'set_real_ip_from')),
    header: 'proxy_protocol',
    recursive: false,
  };
  const because: string[] = [];
  const remote = realAddress(real, server, request, because);
  const judged = remote === null ? null : formatAddress(remote);
  return {
    ...{ file: server.file, line: server.line, title: server.title },
    listeners: server.listeners.map(({ text }) => text),
    isProtected: server.hook !== null,
    ...{ remoteAddress: judged, judged, because },
  };
}

function realAddress(
  real: RealAddress,
  server: Pick<Server, 'listeners'>,
  request: AskedRequest,
  because: string[],
): AddressKey | null {
  const peer = parseAddress(request.from);
  because.push(peer === null ? `${request.from} connects, which is no address` : `${formatAddress(peer)} connects`);
  if (real.lines.length === 0) {
    because.push('NGINX believes no header: there is no set_real_ip_from');
    if (request.proxied !== null) because.push('the address in the PROXY protocol is not used');
    return peer;
  }
  if (real.names.length > 0)
    because.push(`can't tell who ${real.names.map(({ args }) => args[0]).join(', ')} is: NGINX looks it up`);
  const value = saidAddress(real, server, request);
  if (value === null) {
    because.push(`${real.header} is believed, and the request has none`);
    return peer;
  }
  if (!isBelieved(real, peer)) {
    because.push(`it is none of those whose ${real.header} is believed`);
    return peer;
  }
  return lastUntrusted(real, value, peer, because);
}

/** Of several X-Forwarded-For the whole; of any other header the first. */
function saidAddress(
  { header }: RealAddress,
  { listeners }: Pick<Server, 'listeners'>,
  { headers, proxied }: AskedRequest,
): string | null {
  if (header === 'proxy_protocol') return listeners.some((one) => one.proxyProtocol) ? proxied : null;
  const values = headers.filter(([name]) => name.toLowerCase() === header).map(([, value]) => value.trim());
  return (header === 'x-forwarded-for' ? values.join(', ') : values[0]) || null;
}

function isBelieved({ from, believesUnix }: RealAddress, address: AddressKey | null): boolean {
  return address === null ? believesUnix : contains(from, address);
}

/** From the right; with real_ip_recursive on past everybody who is believed. */
function lastUntrusted(
  real: RealAddress,
  value: string,
  peer: AddressKey | null,
  because: string[],
): AddressKey | null {
  const entries = value.split(/[ ,]+/).filter((entry) => entry !== '');
  let address = peer;
  for (const entry of entries.reverse()) {
    const read = addressIn(entry);
    if (read === null) {
      because.push(`${entry} in ${real.header} is no address: what is left of it does not count`);
      return address;
    }
    because.push(
      `${address === null ? 'unix:' : formatAddress(address)} is believed, and says ${formatAddress(read)} in ${real.header}`,
    );
    address = read;
    if (!real.recursive || !contains(real.from, read)) return address;
  }
  return address;
}

/** With a port or without. */
function addressIn(entry: string): AddressKey | null {
  const bare = /^\[(.*)\](?::\d{1,5})?$/.exec(entry)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(entry)?.[1] ?? entry;
  // NGINX takes leading zeros, and an empty number for 0.
  const numbers = bare.split('.');
  const isLoose = numbers.length === 4 && numbers.every((number) => /^\d{0,20}$/.test(number) && Number(number) <= 255);
  return parseAddress(isLoose ? numbers.map(Number).join('.') : bare);
}

function byPolicy(
  { object }: Server,
  remote: AddressKey,
  { headers }: AskedRequest,
  policy: CompiledPolicy | null,
  because: string[],
): AddressKey {
  const meant = policy?.objects.find(({ bind }) => object.state === 'value' && bind === object.value);
  const view = policy === null || meant === undefined ? null : viewOf(policy).object(meant.name);
  if (meant === undefined || view === null || meant.trustedProxies === null) return remote;
  const said = headers.filter(([name]) => name.toLowerCase() === 'x-forwarded-for').map(([, value]) => value);
  const flow = {
    from: formatAddress(remote),
    to: meant.name,
    port: '',
    ...(said.length > 0 ? { forwardedFor: said.join(', ') } : {}),
  };
  const judged = judgedAddress(view, remote, flow);
  const words =
    judged === remote
      ? `the policy judges it too`
      : `the policy believes X-Forwarded-For from there, and judges ${formatAddress(judged)}`;
  because.push(`trustedProxies of ${meant.name}: ${words}`);
  return judged;
}
