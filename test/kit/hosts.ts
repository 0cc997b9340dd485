/**
 * Hosts as network namespaces that the test makes: a host whose packet filter is tried, and a peer that calls it from any
 * address, joined by a veth. Whatever is run here is run inside one of them; the machine's own namespace gets nothing but
 * the names, which go with the test, and what a test that was killed left goes with the next one.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { promisify } from 'node:util';
import { type HostProbe, type ProbeFlow, type ProbeOutcome, startHostProbe } from './hosts-calling.ts';

const execute = promisify(execFile);
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const PREFIX = 'edgeward-test-';
const PROGRAMS = [
  'ip',
  'ipset',
  'conntrack',
  ...['nft', 'legacy'].flatMap((kind) => [`iptables-${kind}-save`, `ip6tables-${kind}-save`]),
];

/** The host's own addresses: no policy of a test names them. */
export const HOST_ADDRESSES: { inet: string; inet6: string } = { inet: '172.31.255.1', inet6: 'fd00:ed6e:ffff::1' };

export interface TestHost {
  /** Words before a command that is to run on the host. */
  readonly where: readonly string[];
  /** Runs a command on the host. Throws where it fails. Standard output. */
  run(...command: string[]): Promise<string>;
  /** Calls the host from the peer, all at once, from addresses that the peer then has. */
  call(flows: readonly ProbeFlow[]): Promise<ProbeOutcome[]>;
  /** A container on the host: its port, published as another one of the host by the host's own rules for translation. */
  publish(backend: 'nft' | 'legacy', port: number, containerPort: number): Promise<void>;
  /** Echoes on the host, and connections that stay. `call` first, so that the peer has the addresses. */
  probe(): HostProbe;
  close(): Promise<void>;
}

export interface HostTeardown {
  teardown(run: () => Promise<void>): unknown;
}

/** Where namespaces or programs can't be had the whole test file is skipped with the reason, but never in CI. */
export function requireHosts(t: { plan(count: number, reason: string): unknown }): void {
  const missing = PROGRAMS.filter((program) => !isThere(program));
  const reason = process.getuid?.() !== 0 ? 'hosts as network namespaces need root' : `missing: ${missing.join(', ')}`;
  if (process.getuid?.() === 0 && missing.length === 0) return;
  if (process.env.CI !== undefined) throw new Error(reason);
  t.plan(0, reason);
  process.exit(0);
}

/**
 * Two namespaces and the wire between them, by one process of ours: each start of one copies the page tables of a test. No
 * waiting for duplicates, and an answer to every packet that is let in: both would make verdicts a matter of time.
 */
const WIRED = `
for it; do
  ip netns add "$it"
  ip netns exec "$it" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \\
    net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
  ip -n "$it" link set lo up
done
ip -n "$1" link add wire0 type veth peer name wire0 netns "$2"
for it; do
  ip -n "$it" link set wire0 up
  ip -n "$it" -4 route add default dev wire0
  ip -n "$it" -6 route add default dev wire0
done`;

let started = 0;

/** A host, and a peer that calls it. Closed with the test. */
export async function startHost(t: HostTeardown): Promise<TestHost> {
  await sweep();
  started += 1;
  const name = `${PREFIX}${process.pid}-${started}`;
  const [host, peer, box] = [`${name}-host`, `${name}-peer`, `${name}-box`];
  const inside = (namespace: string, ...command: string[]): Promise<string> =>
    execIn('ip', 'netns', 'exec', namespace, ...command);
  let probe: HostProbe | null = null;
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await probe?.close();
    await execIn('sh', '-c', 'for it; do ip netns del "$it"; done', 'sh', host, peer, box).catch(() => {});
  };
  t.teardown(close);
  await execIn('sh', '-euc', WIRED, 'sh', host, peer);
  await addAddresses(host, Object.values(HOST_ADDRESSES));
  const calling = (): HostProbe => {
    probe ??= startHostProbe(['ip', 'netns', 'exec', peer], ['ip', 'netns', 'exec', host]);
    return probe;
  };
  const known = new Set<string>();
  return {
    where: ['ip', 'netns', 'exec', host],
    run: (...command) => inside(host, ...command),
    call: async (flows) => {
      const fresh = new Set(flows.map(({ from }) => from).filter((from) => !known.has(from)));
      for (const from of fresh) known.add(from);
      await addAddresses(peer, [...fresh]);
      return calling().call(flows);
    },
    publish: (backend, port, containerPort) => publishContainer({ host, box, backend, port, containerPort }),
    probe: calling,
    close,
  };
}

const CONTAINER = { inet: ['10.88.0.1', '10.88.0.2'], inet6: ['fd00:ed6e:88::1', 'fd00:ed6e:88::2'] } as const;

interface Publication {
  host: string;
  box: string;
  backend: 'nft' | 'legacy';
  port: number;
  containerPort: number;
}

async function publishContainer({ host, box, backend, port, containerPort }: Publication): Promise<void> {
  await execIn('ip', 'netns', 'add', box);
  await execIn('ip', '-n', host, 'link', 'add', 'box0', 'type', 'veth', 'peer', 'name', 'box0', 'netns', box);
  for (const [namespace, side] of [
    [host, 0],
    [box, 1],
  ] as const) {
    await execIn('ip', '-n', namespace, 'link', 'set', 'box0', 'up');
    for (const [addresses, length] of [
      [CONTAINER.inet, 24],
      [CONTAINER.inet6, 64],
    ] as const) {
      const extra = length === 64 ? ['nodad'] : [];
      await execIn('ip', '-n', namespace, 'addr', 'add', `${addresses[side]}/${length}`, 'dev', 'box0', ...extra);
      if (side === 1) await execIn('ip', '-n', box, 'route', 'add', 'default', 'via', addresses[0]);
    }
  }
  const forwarding = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
  await execIn('ip', 'netns', 'exec', host, 'sysctl', '-qw', ...forwarding);
  for (const [program, to] of [
    ['iptables', `${CONTAINER.inet[1]}:${containerPort}`],
    ['ip6tables', `[${CONTAINER.inet6[1]}]:${containerPort}`],
  ] as const) {
    const rule = ['-p', 'tcp', '--dport', String(port), '-j', 'DNAT', '--to-destination', to];
    await execIn('ip', 'netns', 'exec', host, `${program}-${backend}`, '-t', 'nat', '-A', 'PREROUTING', ...rule);
  }
}

async function addAddresses(namespace: string, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return;
  const lines = addresses.map((address) => {
    const v6 = address.includes(':');
    return `addr add ${address}/${v6 ? '128' : '32'} dev wire0${v6 ? ' nodad' : ''}\n`;
  });
  const added = execute('ip', ['-n', namespace, '-batch', '-'], BOUNDS);
  added.child.stdin?.on('error', () => {}).end(lines.join(''));
  await added;
}

/** What a test that was killed left behind: named by a process that is no more. */
async function sweep(): Promise<void> {
  const names = (await execIn('ip', 'netns', 'list')).split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of names) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? process.pid);
    if (!lives(pid)) await execIn('ip', 'netns', 'del', name).catch(() => {});
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isThere(program: string): boolean {
  return PATH.split(':').some((folder) => {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const BOUNDS = {
  env: { PATH, LC_ALL: 'C' },
  timeout: 20_000,
  killSignal: 'SIGKILL',
  maxBuffer: 64 * 1024 * 1024,
} as const;

async function execIn(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(program, args, BOUNDS);
  return stdout;
}
