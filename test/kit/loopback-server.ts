/**
 * One server program on loopback, for tests. Nothing of it survives its parent: a shell that holds the other end of a pipe
 * ends it when the parent is gone, however that ended. Knows nothing of what the server is for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoopbackServer {
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

const startTimeoutMs = 90_000;

/** Resolves when it takes connections. Rejects with what it last said, in `logFile` and on its output. */
export async function startLoopbackServer(of: {
  name: string;
  /** Program and all its arguments. */
  command: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Where it logs by itself; its output goes to a file beside this one. */
  logFile: string;
  port: number;
}): Promise<LoopbackServer> {
  const [program = '', ...args] = of.command;
  const outputFile = `${of.logFile}.output`;
  const output = await open(outputFile, 'w');
  // In a group of its own: Ctrl-C reaches the parent alone, and the parent decides.
  const child = spawn(program, args, {
    stdio: ['ignore', output.fd, output.fd],
    env: { ...process.env, ...of.env },
    detached: true,
  });
  await output.close();
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const pid = child.pid ?? 0;
  const dismiss = pid === 0 ? () => {} : watch(pid);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    dismiss();
  };
  if (!(await answers(of.port, child))) {
    await kill();
    const said = await Promise.all([of.logFile, outputFile].map((file) => readFile(file, 'utf8').catch(() => '')));
    const last = said.join('\n').trim().split('\n').slice(-5).join(' | ');
    throw new Error(`${of.name} does not listen on ${of.port}: ${last}`);
  }
  return { pid, signal: (signal) => void child.kill(signal), kill };
}

function watch(pid: number): () => void {
  const script = 'read -r word && [ "$word" = done ] && exit 0; kill -s KILL "$1" 2>/dev/null';
  const shell = spawn('/bin/sh', ['-c', script, 'edgeward-watchdog', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  return () => void shell.stdin.end('done\n');
}

async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await accepts(port)) return true;
    await sleep(50);
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
