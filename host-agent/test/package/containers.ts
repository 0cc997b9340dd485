/**
 * Containers of Debian 12 and 13 for a package to be installed in. Their images are made of Debian's packages by debootstrap,
 * once, and kept in the cache folder; nothing is pulled. A container has no network but a wire to a peer that the test makes.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDir } from '@edgeward/debian-packages';

const execute = promisify(execFile);

export type Suite = 'bookworm' | 'trixie';

/** What the package depends on and recommends, as apt would have brought it along; `ip` for the test itself. */
const PACKAGES = ['conntrack', 'ipset', 'iproute2', 'iptables', 'nftables', 'systemd', 'ulogd2', 'ulogd2-json'];
/** Nothing that runs; half of an image. */
const REMOVED = ['usr/share/locale', 'usr/share/doc', 'usr/share/man', 'var/cache/apt', 'var/lib/apt/lists'];
/** A container whose test was killed ends by itself. */
const LIFETIME_S = 900;
const ENV = { PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH ?? ''}`, LC_ALL: 'C' };

export async function exec(program: string, args: readonly string[], timeoutMs = 60_000): Promise<string> {
  const bounds = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 24 } as const;
  const { stdout } = await execute(program, [...args], { ...bounds, env: { ...process.env, ...ENV } });
  return stdout;
}

/** Without these the whole test file is skipped with the reason, but never in CI. */
export async function requireContainers(t: { plan(count: number, reason: string): unknown }): Promise<void> {
  const reason = await missing();
  if (reason === null) return;
  if (process.env.CI !== undefined) throw new Error(reason);
  t.plan(0, reason);
  process.exit(0);
}

async function missing(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'images and namespaces of a test need root';
  for (const [program, ...args] of [
    ['docker', 'version'],
    ['debootstrap', '--version'],
    ['dpkg-deb', '--version'],
    ['ip', '-V'],
    ['nsenter', '--version'],
    ['unshare', '--user', 'true'],
    // A host that boots has its cgroups in one of its own.
    ['grep', '-q', ' cgroup2 ', '/proc/mounts'],
  ] as const) {
    const answered = await exec(program, args, 20_000).then(
      () => true,
      () => false,
    );
    if (!answered) return `\`${[program, ...args].join(' ')}\` does not answer; scripts/with-docker.sh brings a Docker`;
  }
  return null;
}

export interface Image {
  /** As Docker knows it. */
  name: string;
  /** All of its files. */
  archive: string;
}

/** Both are there afterwards. */
export async function imageOf(suite: Suite): Promise<Image> {
  const recipe = createHash('sha256')
    .update([...PACKAGES, ...REMOVED].join())
    .digest('hex')
    .slice(0, 12);
  const name = `edgeward-host-${suite}:${recipe}`;
  const archive = join(defaultCacheDir(), `host-${suite}-${process.arch}-${recipe}.tar`);
  if ((await stat(archive).catch(() => null)) === null) await makeImage(suite, archive);
  const there = await exec('docker', ['image', 'inspect', '--format', '{{.Id}}', name]).catch(() => null);
  if (there === null) await exec('docker', ['import', archive, name]);
  return { name, archive };
}

async function makeImage(suite: Suite, file: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-debootstrap-'));
  const root = join(folder, 'root');
  const bootstrap = ['debootstrap', '--variant=minbase', `--include=${PACKAGES.join()}`, suite, root];
  try {
    // Whatever it mounts ends with it. An image is no disk: that it be safe on one is not waited for.
    const words = ['--mount', '--propagation', 'private', 'env', 'DPKG_FORCE=unsafe-io', ...bootstrap];
    await exec('unshare', words, 400_000);
    for (const path of REMOVED) await rm(join(root, path), { recursive: true, force: true });
    await mkdir(join(root, 'var/cache/apt/archives/partial'), { recursive: true });
    const unfinished = join(folder, 'image.tar');
    await exec('tar', ['-C', root, '-cf', unfinished, '.']);
    await mkdir(defaultCacheDir(), { recursive: true });
    // The cache may be on another file system than the folder: what is renamed lies beside what it replaces.
    await exec('cp', [unfinished, `${file}.${process.pid}`]);
    await rename(`${file}.${process.pid}`, file);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface Container {
  /** Runs a command in it, as root. Throws where it fails. Standard output and error. */
  run(command: string): Promise<string>;
  /** Starts one that goes on. */
  start(command: string): Promise<void>;
  copyIn(from: string, to: string): Promise<void>;
  /** Words before a program of this machine that is to be on the container's network, or on its peer's. */
  readonly network: readonly string[];
  readonly peer: readonly string[];
  /** An address that the peer calls from. */
  addPeerAddress(address: string): Promise<void>;
}

export interface Teardown {
  teardown(run: () => Promise<void>): unknown;
}

/** The container's own, on its wire. */
export const ADDRESSES = { inet: '172.31.254.1', inet6: 'fd00:ed6e:fffe::1' };

let started = 0;

export async function startContainer(t: Teardown, image: Image, packages: string): Promise<Container> {
  started += 1;
  // The test kit sweeps namespaces that begin so, once the process that the number names is gone.
  const name = `edgeward-test-${process.pid}-container-${started}`;
  const netns = `${name}-peer`;
  t.teardown(async () => {
    await exec('docker', ['rm', '--force', name]).catch(() => {});
    await exec('ip', ['netns', 'del', netns]).catch(() => {});
  });
  const rights = ['--cap-add', 'NET_ADMIN', '--cap-add', 'NET_RAW', '--network', 'none'];
  const v6 = ['--sysctl', 'net.ipv6.conf.all.disable_ipv6=0', '--sysctl', 'net.ipv6.conf.default.accept_dad=0'];
  const shown = ['--volume', `${packages}:/packages:ro`];
  const words = ['run', '--detach', '--rm', '--init', '--name', name, ...rights, ...v6, ...shown, image.name];
  await exec('docker', [...words, 'sleep', String(LIFETIME_S)]);
  const pid = (await exec('docker', ['inspect', '--format', '{{.State.Pid}}', name])).trim();
  await wire(netns, pid);
  return {
    run: (command) => exec('docker', ['exec', name, 'sh', '-c', `{ ${command}\n} 2>&1`], 120_000),
    start: async (command) => void (await exec('docker', ['exec', '--detach', name, 'sh', '-c', command])),
    copyIn: async (from, to) => void (await exec('docker', ['cp', from, `${name}:${to}`])),
    network: ['nsenter', '--target', pid, '--net'],
    peer: ['ip', 'netns', 'exec', netns],
    addPeerAddress: (address) => addAddress(['-n', netns], address),
  };
}

async function wire(netns: string, pid: string): Promise<void> {
  const inside = (...args: string[]): Promise<string> => exec('nsenter', ['--target', pid, '--net', 'ip', ...args]);
  await exec('ip', ['netns', 'add', netns]);
  const other = ['type', 'veth', 'peer', 'name', 'wire0', 'netns', pid];
  await exec('ip', ['-n', netns, 'link', 'add', 'wire0', ...other]);
  await exec('ip', ['-n', netns, 'link', 'set', 'wire0', 'up']);
  await inside('link', 'set', 'wire0', 'up');
  for (const address of Object.values(ADDRESSES)) {
    const v6 = address.includes(':');
    await inside('addr', 'add', `${address}/${v6 ? 128 : 32}`, 'dev', 'wire0', ...(v6 ? ['nodad'] : []));
    await inside(v6 ? '-6' : '-4', 'route', 'add', 'default', 'dev', 'wire0');
    await exec('ip', ['-n', netns, v6 ? '-6' : '-4', 'route', 'add', 'default', 'dev', 'wire0']);
  }
}

async function addAddress(where: readonly string[], address: string): Promise<void> {
  const v6 = address.includes(':');
  const words = ['addr', 'add', `${address}/${v6 ? 128 : 32}`, 'dev', 'wire0', ...(v6 ? ['nodad'] : [])];
  await exec('ip', [...where, ...words]);
}
