/**
 * One NGINX in the foreground, as a child: ready when this resolves, gone when `exited` resolves. NGINX prints its last
 * words on stderr, whose tail is kept for the error. What it refuses to do: restart by itself, or guess a port.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { EdgewardError } from '@edgeward/runtime';
import { containerMaster } from './container-master.ts';
import { addressInUse, emergencyOf } from './emergency.ts';
import { invocation } from './invocation.ts';
import { localMaster } from './local-master.ts';
import type { Master } from './master.ts';
import type { NginxBinary, NginxCandidate } from './nginx-binary.ts';
import { allReplaced, becomesReady, type Listener } from './readiness.ts';
import { testConfig } from './test-config.ts';

export interface StartNginxOptions {
  readonly binary: NginxBinary | NginxCandidate;
  /** The folder to which relative paths of the configuration belong. A container sees only this and the file's own. */
  readonly prefix: string;
  /** Must not hold the `daemon` directive. */
  readonly configFile: string;
  /** Also wait until this listener takes connections. */
  readonly listener?: Listener;
  /** How long it may take until NGINX is ready, and until a reload is done. Default 15 s. */
  readonly timeoutMs?: number;
}

export interface NginxExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  readonly stderr: string;
}

export interface RunningNginx {
  /**
   * The child, which leads a process group of its own: the master, whose group holds the workers and nothing else; or
   * Docker's client, whose end is the end of the container.
   */
  readonly pid: number;
  /** Resolves when new workers serve and no old one takes connections. A refused configuration changes nothing. */
  reload(): Promise<void>;
  /** Lets requests in flight finish for 3 s, then insists. Resolves when every process is gone; may be repeated. */
  stop(): Promise<void>;
  /** SIGKILL to master and workers, for tests and proofs of a crash. */
  kill(): Promise<void>;
  /** Never rejects. When it resolves no worker is left, also if the master alone was killed. */
  readonly exited: Promise<NginxExit>;
}

const defaultTimeoutMs = 15_000;
const stopSteps = [
  { signal: 'SIGQUIT', waitMs: 3_000 },
  { signal: 'SIGTERM', waitMs: 2_000 },
  { signal: 'SIGKILL', waitMs: 2_000 },
] as const;
const tailCharacters = 16_384;

export async function startNginx(options: StartNginxOptions): Promise<RunningNginx> {
  const { binary, prefix, configFile, listener, timeoutMs = defaultTimeoutMs } = options;
  const container = binary.image === undefined ? null : `edgeward-nginx-${randomBytes(6).toString('hex')}`;
  const child = spawnMaster(options, container);
  const tail = tailOf(child);
  const pid = child.pid;
  if (pid === undefined) throw notStarted(configFile, await spawnFailure(child));

  const master = container === null ? localMaster(pid) : containerMaster(child, container);
  const exited = exitOf(child, tail).then(async (exit) => {
    await master.clear();
    return exit;
  });
  const running: RunningNginx = {
    pid,
    exited,
    reload: () => reload({ binary, prefix, configFile, master, timeoutMs, tail }),
    stop: () => end(child, master, exited, stopSteps),
    kill: () => end(child, master, exited, stopSteps.slice(-1)),
  };

  const ready = await becomesReady({ master, listener, exited, timeoutMs });
  if (ready) return running;
  await running.kill();
  throw notStarted(configFile, tail() || `not ready within ${timeoutMs} ms`);
}

function spawnMaster({ binary, prefix, configFile }: StartNginxOptions, container: string | null): ChildProcess {
  const place = { prefix, configFile, ...(container === null ? {} : { container }) };
  const words = ['-e', 'stderr', '-p', prefix, '-c', configFile, '-g', 'daemon off;'];
  const { program, args } = invocation(binary, words, place);
  return spawn(program, args, {
    // A container ends with its stdin.
    stdio: [container === null ? 'ignore' : 'pipe', 'ignore', 'pipe'],
    // A group of its own: Ctrl-C reaches the parent alone, and one signal reaches every worker.
    detached: true,
    // NGINX takes this variable for sockets handed over by an older master.
    env: { ...process.env, NGINX: undefined },
  });
}

function tailOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-tailCharacters);
  });
  return () => text;
}

/** `exit`, not `close`: an orphaned worker may hold stderr open, and is ended only after this. */
function exitOf(child: ChildProcess, tail: () => string): Promise<NginxExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      // What the master wrote last may still be in the pipe.
      setImmediate(() => resolve({ ...endOf(code, signal), stderr: tail() }));
    });
  });
}

function spawnFailure(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
  });
}

/** Docker's client ends as a shell would say it: 128 and the number of the signal. */
function endOf(code: number | null, signal: NodeJS.Signals | null): Pick<NginxExit, 'code' | 'signal'> {
  return code === 128 + constants.signals.SIGKILL ? { code: null, signal: 'SIGKILL' } : { code, signal };
}

async function end(
  child: ChildProcess,
  master: Master,
  exited: Promise<NginxExit>,
  steps: readonly (typeof stopSteps)[number][],
): Promise<void> {
  for (const { signal, waitMs } of steps) {
    await master.signal(signal);
    if (await master.ended(waitMs)) break;
  }
  // Nothing is left of it that would answer, unless a Docker that is stuck holds its client.
  child.kill('SIGKILL');
  await exited;
}

async function reload(of: {
  binary: NginxCandidate;
  prefix: string;
  configFile: string;
  master: Master;
  timeoutMs: number;
  tail: () => string;
}): Promise<void> {
  // NGINX refuses a bad configuration by itself, but only into its own log.
  await testConfig(of.binary, of.prefix, of.configFile);
  const before = (await of.master.workers()).map((worker) => worker.pid);
  await of.master.signal('SIGHUP');
  if (await allReplaced(of.master, before, of.timeoutMs)) return;
  const reason = emergencyOf(of.tail()) ?? 'no new workers, and no reason on stderr';
  throw new EdgewardError('EDW_ERR_NGINX_RELOAD', `reloading ${of.configFile}: ${reason}`, {
    mend: 'Read the error_log of this NGINX. A zone that changed its size and a port in use pass `nginx -t`; they need a restart or another port.',
  });
}

function notStarted(configFile: string, stderr: string): EdgewardError {
  const address = addressInUse(stderr);
  const mend =
    address === null
      ? 'Correct what NGINX names. `nginx -t -c FILE` shows the same message without starting it.'
      : `Another process listens on ${address}. Stop it (\`ss -ltnp\` names it), or give this NGINX another address.`;
  const reason = emergencyOf(stderr) ?? 'it ended without a word';
  return new EdgewardError('EDW_ERR_NGINX_START', `starting NGINX with ${configFile}: ${reason}`, { mend });
}
