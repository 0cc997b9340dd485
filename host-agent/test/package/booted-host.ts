/**
 * A host that boots: systemd itself as the first process of a user namespace, on the files of an image. Root there is nobody on
 * this machine, so that whatever a unit does or a service manager writes stays inside: processes, mounts, network, cgroups.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, readlink, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exec, type Teardown } from './containers.ts';

/** The first number of those that the host's users have on this machine. */
const FIRST_ID = 100_000;
/** A host whose test was killed ends by itself. */
const LIFETIME_S = '600';
const NEW_USERS = ['unshare', '--user', 'sleep', LIFETIME_S] as const;
const POLLS = 300;
const INSIDE = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'];

const BOOT = `set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do : >"dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=edgeward-test chroot . /lib/systemd/systemd --log-target=null --show-status=false
`;

export interface BootedHost {
  /** Its files, as this machine sees them. */
  readonly root: string;
  /** A file or folder that was put there becomes its root's own. */
  take(path: string): Promise<void>;
  /** Runs a command on it, as its root. Throws where it fails. Standard output and error. */
  run(command: string): Promise<string>;
  /** The power is cut, and comes back: files stay, and nothing else does. */
  reboot(): Promise<void>;
}

/** `image` is an archive of its files. Up when this resolves. */
export async function bootHost(t: Teardown, image: string): Promise<BootedHost> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-boot-'));
  const cgroup = join(await cgroupMount(), `edgeward-test-${process.pid}-${folder.slice(-6)}`);
  const [program, ...args] = NEW_USERS;
  const anchor = spawn(program, args, { stdio: 'ignore' });
  let first: FirstProcess | null = null;
  t.teardown(async () => {
    await first?.kill();
    anchor.kill('SIGKILL');
    await removeCgroup(cgroup);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await giveIds(anchor);
  const root = join(folder, 'root');
  await mkdir(root);
  await chmod(folder, 0o755);
  await chown(root, FIRST_ID, FIRST_ID);
  const asRoot = ['nsenter', '--target', String(anchor.pid), '--user', '--setuid', '0', '--setgid', '0'];
  const unpack = ['tar', '--exclude=./dev/*', '-x', '-C', root];
  await exec('sh', ['-c', 'archive=$1; shift; exec "$@" <"$archive"', 'sh', image, ...asRoot, ...unpack]);
  await writeFile(join(folder, 'boot.sh'), BOOT);
  await makeCgroup(cgroup);
  const boot = async (): Promise<FirstProcess> => {
    const spaces = ['--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--propagation', 'private'];
    const unshare = ['unshare', ...spaces, '--fork', '--kill-child', 'sh', join(folder, 'boot.sh'), root];
    const words = [...asRoot, 'timeout', '--signal=KILL', LIFETIME_S, ...unshare];
    const first = await startFirst(['sh', '-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"', cgroup, ...words]);
    await eventually(async () => /running|degraded/.test(await first.run('systemctl is-system-running || true')));
    return first;
  };
  first = await boot();
  return {
    root,
    take: async (path) => void (await exec('chown', ['-R', `${FIRST_ID}:${FIRST_ID}`, join(root, path)])),
    run: (command) => (first as FirstProcess).run(command),
    async reboot() {
      await first?.kill();
      first = await boot();
    },
  };
}

interface FirstProcess {
  run(command: string): Promise<string>;
  kill(): Promise<void>;
}

async function startFirst(words: readonly string[]): Promise<FirstProcess> {
  const [program = '', ...args] = words;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    said += piece;
  });
  const ended = once(child, 'close');
  let pid: string | null = null;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`a host did not boot: ${said}`);
    // timeout, then unshare, then the first process of the new namespaces.
    pid = await childOf(await childOf(String(child.pid)));
    return pid !== null && (await readlink(`/proc/${pid}/exe`).catch(() => '')).endsWith('/systemd');
  });
  const spaces = ['--user', '--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--root', '--wd'];
  const enter = ['--target', String(pid), ...spaces, '--setuid', '0', '--setgid', '0', ...INSIDE];
  return {
    run: (command) => exec('nsenter', [...enter, 'sh', '-c', `{ ${command}\n} 2>&1`]),
    async kill() {
      // With it goes every process that it is the first of.
      if (child.exitCode === null && pid !== null) process.kill(Number(pid), 'SIGKILL');
      await ended;
    },
  };
}

async function childOf(pid: string | null): Promise<string | null> {
  if (pid === null) return null;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.trim().split(' ')[0] || null;
}

/** Root of the namespace and those after it are numbers that are nobody's here. */
async function giveIds({ pid }: ChildProcess): Promise<void> {
  const own = await readlink('/proc/self/ns/user');
  await eventually(async () => (await readlink(`/proc/${pid}/ns/user`)) !== own);
  for (const map of ['uid_map', 'gid_map']) await writeFile(`/proc/${pid}/${map}`, `0 ${FIRST_ID} 65536`);
}

async function cgroupMount(): Promise<string> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const found = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  if (found === undefined) throw new Error('booting a host: there is no cgroup2 on this machine');
  return found;
}

async function makeCgroup(cgroup: string): Promise<void> {
  await mkdir(cgroup);
  for (const name of ['', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control'])
    await chown(join(cgroup, name), FIRST_ID, FIRST_ID);
}

/** Only ever empty folders, the innermost first; a process that was just killed may still be in one. */
async function removeCgroup(cgroup: string): Promise<void> {
  await eventually(async () => {
    const folders = (await exec('find', [cgroup, '-depth', '-type', 'd']).catch(() => '')).split('\n');
    for (const folder of folders) if (folder !== '') await rmdir(folder).catch(() => {});
    return folders.length <= 1;
  }).catch(() => {});
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let poll = 0; poll < POLLS; poll += 1) {
    if (await condition()) return;
    await pause(100);
  }
  throw new Error(`not within ${POLLS} polls: ${condition}`);
}
