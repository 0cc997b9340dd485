/** The servers of a configuration, and what each could be in a policy. Guesses no label. */
import { readDump } from './configuration.ts';
import type { Listener } from './listeners.ts';
import { type Server, serversOf } from './servers.ts';
import type { StreamServer } from './streams.ts';

export interface DiscoveredServer {
  file: string;
  line: number;
  /** Its first name, else its first listener. */
  title: string;
  names: string[];
  listeners: string[];
  /** Where it leads: `10.0.0.1:8080`; with a variable as it is written. */
  targets: string[];
  state: 'protected' | 'open' | 'push' | 'returns' | 'stream';
  /** What `$edgeward_server` is, or could be; no two proposals have one. */
  bind: string;
  /** What a VirtualServer document would say of it; null where there can be none, and `remarks` say why. */
  object: { ports: string[]; protocol: 'http' | 'tcp' } | null;
  /** What a person should know before protecting it; texts of the configuration stand in them as they are. */
  remarks: string[];
}

/** In the order of the configuration, stream servers last. */
export function discoverServers(dump: string): DiscoveredServer[] {
  const { servers, streams } = serversOf(readDump(dump));
  const used = new Set(
    [...servers, ...streams].flatMap(({ object }) => (object.state === 'value' ? [object.value] : [])),
  );
  return [
    ...servers.map((server) => discovered(server, used)),
    ...streams.map((stream) => discoveredStream(stream, used)),
  ];
}

function discovered(server: Server, used: Set<string>): DiscoveredServer {
  const { file, line, title, names, listeners, targets, hook, object, isPush, onlyReturns } = server;
  const open = isPush ? 'push' : onlyReturns ? 'returns' : 'open';
  const state = hook === null ? open : 'protected';
  const ports = portsOf(server);
  const obstacle = obstacleOf(state, ports);
  const bind =
    object.state === 'value' && hook !== null ? object.value : obstacle === null ? freeBind(title, used) : '';
  return {
    ...{ file, line, title, names, state, bind },
    listeners: listeners.map(({ text }) => text),
    targets: [...targets.addresses, ...targets.variable],
    object: obstacle === null ? { ports, protocol: 'http' } : null,
    remarks: obstacle === null ? remarksOn(server, bind) : [obstacle],
  };
}

/** Connections are judged there: `protocol: tcp`. */
function discoveredStream(server: StreamServer, used: Set<string>): DiscoveredServer {
  const { file, line, title, listeners, targets, hook, object, isPush, onlyReturns } = server;
  const state = hook !== null ? 'protected' : isPush ? 'push' : onlyReturns ? 'returns' : 'stream';
  const ports = [...new Set(listeners.flatMap((it) => portOf(server, it)))];
  const obstacle = obstacleOf(state, ports);
  const named = object.state === 'value' && hook !== null ? object.value : null;
  const bind = named ?? (obstacle === null ? freeBind(title, used) : '');
  return {
    ...{ file, line, title, names: [], state, bind },
    listeners: listeners.map(({ text }) => text),
    targets: [...targets.addresses, ...targets.variable],
    object: obstacle === null ? { ports, protocol: 'tcp' } : null,
    remarks: obstacle === null ? streamRemarks(server, bind) : [obstacle],
  };
}

function portOf({ hook, port }: StreamServer, listener: Listener): string[] {
  const own = hook !== null && port.state === 'value' && /^[1-9]\d{0,4}$/.test(port.value) ? Number(port.value) : null;
  const number = own ?? listener.port;
  return number === null ? [] : [`${listener.udp ? 'udp' : 'tcp'}/${number}`];
}

function streamRemarks({ hook, object, targets, listeners }: StreamServer, bind: string): string[] {
  const remarks: [boolean, string][] = [
    [hook === null, `into the server: set $edgeward_server ${bind}; include protect-stream.conf`],
    [
      hook !== null && object.state === 'value',
      'it has the hook already: without a policy for it, everything is denied there',
    ],
    [
      hook !== null && object.state === 'none',
      `it has the hook and no name: write set $edgeward_server ${bind}; into it`,
    ],
    [object.state === 'variable', 'its name depends on the connection'],
    [targets.addresses.size > 0, `it leads to ${[...targets.addresses].slice(0, 8).join(', ')}`],
    [
      targets.variable.length > 0,
      `where it leads depends on the connection: ${targets.variable.slice(0, 3).join(', ')}`,
    ],
    [
      listeners.some(({ proxyProtocol }) => proxyProtocol),
      'it takes the PROXY protocol: see that set_real_ip_from names who sends it',
    ],
  ];
  return remarks.flatMap(([is, words]) => (is ? [words] : []));
}

/** As clients see them: what `$edgeward_port` says, else every listener. */
function portsOf({ hook, port, listeners }: Server): string[] {
  const own = hook !== null && port.state === 'value' && /^[1-9]\d{0,4}$/.test(port.value) ? Number(port.value) : null;
  const tcp = listeners.filter(({ quic }) => !quic).flatMap((listener) => listener.port ?? []);
  return [...new Set(own === null ? tcp : [own])].sort((a, b) => a - b).map((number) => `tcp/${number}`);
}

function obstacleOf(state: DiscoveredServer['state'], ports: readonly string[]): string | null {
  if (state === 'push') return 'the sync service pushes the policy to it';
  if (state === 'returns') return 'it answers everybody by a `return` of its own: nothing lies behind it';
  return ports.length === 0 ? 'it listens on no TCP port: requests over a unix socket have no address' : null;
}

function remarksOn({ hook, hookInLocation, object, targets, listeners }: Server, bind: string): string[] {
  const has = (what: (listener: Listener) => boolean): boolean => listeners.some(what);
  const remarks: [boolean, string][] = [
    [hook === null, `first lines of the server: set $edgeward_server ${bind}; include protect.conf`],
    [
      hook !== null && object.state === 'value',
      'it has the hook already: without a policy for it, everything is denied there',
    ],
    [
      hook !== null && object.state === 'none',
      `it has the hook and no name: write set $edgeward_server ${bind}; before it`,
    ],
    [object.state === 'variable', 'its name depends on the request'],
    [hookInLocation !== null, 'it has the hook in a location, where it judges that one alone'],
    [targets.addresses.size > 0, `it leads to ${[...targets.addresses].slice(0, 8).join(', ')}`],
    [targets.variable.length > 0, `where it leads depends on the request: ${targets.variable.slice(0, 3).join(', ')}`],
    [has(({ quic }) => quic), 'HTTP/3 is not served yet: take `quic` off its listeners'],
    [has(({ proxyProtocol }) => proxyProtocol), 'it takes the PROXY protocol: see that realip uses the address in it'],
    [has(({ host }) => host.startsWith('unix:')), 'requests over its unix socket are denied: they have no address'],
  ];
  return remarks.flatMap(([is, words]) => (is ? [words] : []));
}

const MAX_BIND_CHARS = 63;

function freeBind(title: string, used: Set<string>): string {
  const words = title
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .replace(/[^A-Za-z0-9]+$/, '');
  const wanted = /^\d*$/.test(words) ? `server-${words || 'unnamed'}` : words;
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? '' : `-${number}`;
    const bind = `${wanted.slice(0, MAX_BIND_CHARS - suffix.length)}${suffix}`;
    if (used.has(bind)) continue;
    used.add(bind);
    return bind;
  }
}
