/**
 * One NGINX that belongs to somebody else: its configuration is tested, it is asked to reload, and told apart are the
 * workers of the new configuration and those of older ones, which go on answering whoever is connected to them. NGINX
 * tells nobody whether a reload took; its workers do. Linux alone, and in the process namespace of that NGINX. Refuses to
 * run a shell, to start or end an NGINX, and to signal a process that is no master of NGINX.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastWords, runProgram } from '@edgeward/debian-packages';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { emergencyOf } from '../server/emergency.ts';
import { childrenOf, type ProcessEntry, type ProcessId, pidOf, processOf } from './proc-table.ts';

export interface NginxProcessOptions {
  /** For messages. */
  point: string;
  /** The words that test the configuration: `['nginx', '-t']`, or with `sudo -n` before them. */
  test: readonly string[];
  /** The words that ask for a reload: `['systemctl', 'reload', 'nginx']`. null: SIGHUP to the master of the pid file. */
  reload: readonly string[] | null;
  pidFile: string;
  /** 60 s. */
  testTimeoutMs?: number;
  /** Until the new workers serve: 60 s. A million CIDRs as text take NGINX four. */
  reloadTimeoutMs?: number;
}

export interface NginxWorkers {
  master: ProcessId;
  /** They take connections. */
  serving: ProcessId[];
  /** They take no new ones, and answer on those that they have. */
  leaving: ProcessId[];
}

export interface Reload {
  master: ProcessId;
  /** Workers of the new configuration. */
  serving: ProcessId[];
  /** Workers of older ones that still lived when the reload was over: they decide by what they have. */
  old: ProcessId[];
}

export interface NginxProcess {
  /** Throws EDW_ERR_NGINX_PROCESS where that NGINX is not running, or can't be seen. */
  workers(): Promise<NginxWorkers>;
  /** Throws EDW_ERR_NGINX_CONFIG with NGINX's own reason, or EDW_ERR_NGINX_PROCESS where the words can't be run. */
  test(): Promise<void>;
  /**
   * Tests nothing by itself. Resolves when new workers serve and no old one takes connections. Throws
   * EDW_ERR_NGINX_RELOAD where that was refused or did not come about in time; it may still do so later.
   */
  reload(): Promise<Reload>;
  /** Those of them that still run. */
  living(ids: readonly ProcessId[]): Promise<ProcessId[]>;
}

const pollMs = 20;
/** A master starts its new workers, waits 100 ms and only then sends the old ones away. */
const settleMs = 60;

export function createNginxProcess(options: NginxProcessOptions): NginxProcess {
  const { point, pidFile } = options;
  const timeoutMs = options.reloadTimeoutMs ?? 60_000;

  const workers = async (): Promise<NginxWorkers> => workersOf(await masterOf(point, pidFile));

  async function askForReload(master: ProcessId): Promise<void> {
    if (options.reload === null) return hangUp(point, master);
    const run = await runWords(point, 'reload', options.reload, timeoutMs);
    if (run.code === 0) return;
    throw notReloaded(point, emergencyOf(run.stderr) ?? lastWords(run));
  }

  return {
    workers,
    async test() {
      const run = await runWords(point, 'test', options.test, options.testTimeoutMs ?? 60_000);
      if (run.code === 0) return;
      const reason = run.failure ?? emergencyOf(run.stderr) ?? `exit code ${run.code}`;
      throw new EdgewardError('EDW_ERR_NGINX_CONFIG', `testing the configuration of ${point}: ${reason}`, {
        mend: 'Correct the named line; `nginx -t` shows the same message. The NGINX that is running keeps what it has.',
      });
    },
    async reload() {
      await refuseUpgrade(point, pidFile);
      const before = await workers();
      // Whoever is not seen before the reload would be taken for new after it.
      if (before.serving.length === 0) throw notReloaded(point, 'no worker of it is to be seen');
      await askForReload(before.master);
      return replaced({ point, before, workers, timeoutMs });
    },
    async living(ids) {
      const found = await Promise.all(ids.map(async (id) => (await processOf(pidOf(id)))?.id === id));
      return ids.filter((_, index) => found[index]);
    },
  };
}

/** The pid file may be older than a crash, and its number may be anybody's by now. */
async function masterOf(point: string, pidFile: string): Promise<ProcessEntry> {
  const text = await readFile(pidFile, 'latin1').catch((cause: unknown) => {
    throw notSeen(point, `reading ${pidFile}: ${messageOf(cause)}`);
  });
  if (!/^\s*\d{1,10}\s*$/.test(text)) throw notSeen(point, `${pidFile} holds no process number`);
  const pid = Number(text);
  const found = await processOf(pid);
  if (found === null) throw notSeen(point, `${pidFile} names process ${pid}, which is not to be seen`);
  if (!(await isMaster(found))) throw notSeen(point, `${pidFile} names process ${pid}, which is no master of NGINX`);
  return found;
}

/** Its own title is not to be seen where it was started through a dynamic linker; those of its children are. */
async function isMaster({ pid, title }: ProcessEntry): Promise<boolean> {
  if (title.includes('nginx: master process')) return true;
  return (await childrenOf(pid)).some((child) => child.title.includes('nginx: worker process'));
}

async function workersOf(master: ProcessEntry): Promise<NginxWorkers> {
  const all = (await childrenOf(master.pid)).filter(({ title }) => title.includes('nginx: worker process'));
  const isLeaving = ({ title }: ProcessEntry): boolean => title.includes('is shutting down');
  return {
    master: master.id,
    serving: all.filter((worker) => !isLeaving(worker)).map(({ id }) => id),
    leaving: all.filter(isLeaving).map(({ id }) => id),
  };
}

/** After USR2 two masters serve with a configuration each, and a reload reaches one of them. */
async function refuseUpgrade(point: string, pidFile: string): Promise<void> {
  const older = await masterOf(point, `${pidFile}.oldbin`).catch(() => null);
  if (older === null) return;
  throw new EdgewardError('EDW_ERR_NGINX_RELOAD', `reloading ${point}: an older master (${older.pid}) serves beside`, {
    mend: `Finish the upgrade of the binary: \`kill -QUIT ${older.pid}\`, or QUIT to the new one to go back.`,
  });
}

function hangUp(point: string, master: ProcessId): void {
  try {
    process.kill(pidOf(master), 'SIGHUP');
  } catch (cause) {
    throw notReloaded(point, `SIGHUP to process ${pidOf(master)}: ${messageOf(cause)}`);
  }
}

async function replaced(of: {
  point: string;
  before: NginxWorkers;
  workers: () => Promise<NginxWorkers>;
  timeoutMs: number;
}): Promise<Reload> {
  // No step of the clock makes it wait longer, or give up at once.
  const deadline = performance.now() + of.timeoutMs;
  const isNew = ({ master, serving }: NginxWorkers): boolean =>
    master !== of.before.master || (serving.length > 0 && !serving.some((id) => of.before.serving.includes(id)));
  let unseen: unknown = null;
  // Between a fork and the title of the child a master that runs through a linker can't be told from anybody else.
  const look = (): Promise<NginxWorkers | null> =>
    of.workers().catch((cause: unknown) => {
      unseen = cause;
      return null;
    });
  while (performance.now() < deadline) {
    await sleep(pollMs);
    const found = await look();
    if (found === null || !isNew(found)) continue;
    // A worker that died just before, and was replaced with the old configuration, is sent away by then.
    await sleep(settleMs);
    const settled = await look();
    if (settled === null || !isNew(settled)) continue;
    return { master: settled.master, serving: settled.serving, old: settled.leaving };
  }
  const reason = unseen === null ? 'the old workers still serve' : messageOf(unseen);
  throw notReloaded(of.point, `${reason} after ${of.timeoutMs / 1000} s`);
}

async function runWords(
  point: string,
  doing: 'test' | 'reload',
  [program = '', ...args]: readonly string[],
  timeoutMs: number,
): ReturnType<typeof runProgram> {
  const run = await runProgram(program, args, { timeoutMs });
  // What can't be run at all says nothing about the configuration.
  if (run.failure === null || !/ENOENT|EACCES/.test(run.failure)) return run;
  throw notSeen(point, `running ${JSON.stringify(program)} of process.${doing}: ${run.failure}`);
}

function notReloaded(point: string, reason: string): EdgewardError {
  return new EdgewardError('EDW_ERR_NGINX_RELOAD', `reloading ${point}: ${reason}`, {
    mend: 'Read the error_log of this NGINX. A zone that changed its size and a port in use pass `nginx -t`; they need a restart or another port.',
  });
}

function notSeen(point: string, reason: string): EdgewardError {
  return new EdgewardError('EDW_ERR_NGINX_PROCESS', `looking for the NGINX of ${point}: ${reason}`, {
    mend: 'Start NGINX, or correct `process` of this point in edgeward.yaml: `pidFile` as `pid` in nginx.conf, programs by their path. Under systemd the service needs ProtectProc=default.',
  });
}
