/**
 * Ulogd as a child of the agent: started, started again with pauses when it ends, and ended with the agent, by the kernel where
 * that is killed. One that was left behind even so is ended first, as two can't read one group. Without ulogd counts go on and only samples are
 * missing; that is said once, and looked for again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoff, type Clock, EdgewardError, type Logger, makeFolder, messageOf } from '@edgeward/runtime';
import { findUlogd, isPlainPath, ulogdConfiguration } from './ulogd-configuration.ts';

export interface UlogdOptions {
  runtimeDir: string;
  samplesPath: string;
  where: readonly string[];
  clock: Clock;
  logger: Logger;
  /** Where the program is looked for; the system's folders. */
  folders?: readonly string[];
}

export interface Ulogd {
  /** Why there are no samples now; null where there are. */
  warning(): string | null;
  /** Messages that the kernel could not deliver, since this was last asked. */
  netlinkDrops(): Promise<number>;
  /** Has it open its file anew. False where none runs. */
  reopen(): boolean;
  close(): Promise<void>;
}

const LOOK_AGAIN_MS = 60_000;
const END_WITHIN_MS = 3_000;
const MEND = 'Install ulogd2 and ulogd2-json on this host. Counts are exact meanwhile; who was denied is not known.';

export function superviseUlogd(options: UlogdOptions): Ulogd {
  const { clock, logger, runtimeDir } = options;
  const pauses = backoff({ baseMs: 1_000, maxMs: 60_000 });
  const pidPath = join(runtimeDir, 'ulogd.pid');
  let child: ChildProcess | null = null;
  let warning: string | null = null;
  let closed = false;
  let drops = { pid: 0, seen: 0 };
  let cancel = (): void => {};
  let starting: Promise<void> = start();

  async function start(): Promise<void> {
    if (closed) return;
    try {
      const found = await findUlogd(options.folders);
      if ('missing' in found) return later(found.missing, LOOK_AGAIN_MS);
      if (!isPlainPath(runtimeDir)) return later(`ulogd can't be told of a path like ${runtimeDir}`, LOOK_AGAIN_MS);
      await makeFolder(runtimeDir);
      await endLeftover(pidPath, runtimeDir);
      const configuration = join(runtimeDir, 'ulogd.conf');
      await writeFile(configuration, ulogdConfiguration(found.plugins, options.samplesPath), { mode: 0o600 });
      // Closed meanwhile: nothing is started that nobody would end.
      if (!closed) await run([...options.where, ...found.words, '-c', configuration]);
    } catch (thrown) {
      later(`ulogd can't be started: ${messageOf(thrown)}`, pauses.nextMs());
    }
  }

  function later(why: string, pauseMs: number): void {
    say(why);
    cancel();
    cancel = clock.after(Math.max(100, pauseMs), () => {
      starting = start();
    });
  }

  /** Once for each cause: it may stay so for months. */
  function say(why: string): void {
    if (warning === why || closed) return;
    warning = why;
    const error = new EdgewardError('EDW_ERR_HOST_SAMPLES', `taking samples of denials: ${why}`, { mend: MEND });
    logger.warn({ event: 'samples_missing', code: error.code, mend: error.mend }, error.message);
  }

  async function run([program = '', ...args]: readonly string[]): Promise<void> {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
    const started = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    let lastWords = '';
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        lastWords = (lastWords + text).slice(-2000);
      });
    const startedAtMs = clock.now();
    started.on('error', (cause) => ended(`it can't be started (${cause.message})`));
    started.on('close', (status, signal) =>
      ended(`it ended by ${signal ?? `status ${status}`}${complaintIn(lastWords)}`),
    );
    if (started.pid !== undefined) await writePid(started, started.pid);

    function ended(why: string): void {
      if (child !== started) return;
      child = null;
      if (clock.now() - startedAtMs > 60_000) pauses.reset();
      if (!closed) later(`ulogd does not run: ${why}`, pauses.nextMs());
    }
  }

  /** One whose number is kept nowhere would be left behind by an agent that is killed, and stand in the way of the next. */
  async function writePid(started: ChildProcess, pid: number): Promise<void> {
    try {
      await writeFile(pidPath, String(pid), { mode: 0o600 });
    } catch (thrown) {
      started.kill('SIGKILL');
      throw thrown;
    }
  }

  return {
    warning: () => warning,
    netlinkDrops: async () => {
      const pid = child?.pid;
      if (pid === undefined) return 0;
      const found = await dropsOf(pid);
      if (found === null) return 0;
      // It reads: whatever was wrong is over.
      warning = null;
      const more = found - (drops.pid === pid ? drops.seen : 0);
      drops = { pid, seen: found };
      return Math.max(0, more);
    },
    reopen: () => child?.kill('SIGHUP') ?? false,
    close: async () => {
      closed = true;
      cancel();
      await starting;
      if (child !== null) await endChild(child);
      await rm(pidPath, { force: true }).catch(() => {});
    },
  };
}

function complaintIn(words: string): string {
  const line = words.split('\n').findLast((text) => /<[78]>/.test(text));
  return line === undefined ? '' : `: ${line.slice(0, 200)}`;
}

/** Of the socket by which it reads samples; null where it has none yet. */
async function dropsOf(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/net/netlink`, 'utf8').catch(() => '');
  return netlinkDropsIn(text, pid);
}

const NETLINK_NETFILTER = 12;

/** Columns are sk, Eth, Pid, Groups, Rmem, Wmem, Dump, Locks, Drops, Inode. */
export function netlinkDropsIn(text: string, pid: number): number | null {
  const own = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, protocol, owner]) => Number(protocol) === NETLINK_NETFILTER && Number(owner) === pid);
  return own.length === 0 ? null : own.reduce((total, columns) => total + (Number(columns[8]) || 0), 0);
}

async function endChild(child: ChildProcess): Promise<void> {
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()));
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const ending = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS);
  await over;
  clearTimeout(ending);
}

/** Only one that reads a configuration in our folder: a number of a process is soon somebody else's. */
async function endLeftover(pidPath: string, runtimeDir: string): Promise<void> {
  const pid = Number(await readFile(pidPath, 'utf8').catch(() => ''));
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  for (let tries = 0; tries < END_WITHIN_MS / 50; tries += 1) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (!words.includes(join(runtimeDir, 'ulogd.conf'))) return;
    process.kill(pid, tries < 20 ? 'SIGTERM' : 'SIGKILL');
    await sleep(50);
  }
}
