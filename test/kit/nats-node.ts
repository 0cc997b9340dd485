/**
 * One `nats-server` on loopback. Nothing of it survives its parent: a shell that holds the other end of a pipe ends it
 * when the parent is gone, however that ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface NatsNode {
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

const startTimeoutMs = 20_000;

/** Resolves when it takes connections. Rejects with what it last logged. */
export async function startNatsNode(of: {
  command: readonly string[];
  configFile: string;
  logFile: string;
  port: number;
}): Promise<NatsNode> {
  const [program = '', ...args] = of.command;
  // In a group of its own: Ctrl-C reaches the parent alone, and the parent decides.
  // What is wrong with its configuration it says on stderr, before there is a log.
  const errors = await open(`${of.logFile}.stderr`, 'w');
  const child = spawn(program, [...args, '-c', of.configFile, '-l', of.logFile], {
    stdio: ['ignore', 'ignore', errors.fd],
    detached: true,
  });
  await errors.close();
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
    const said = await Promise.all(
      [of.logFile, `${of.logFile}.stderr`].map((file) => readFile(file, 'utf8').catch(() => '')),
    );
    throw new Error(
      `nats-server does not listen on ${of.port}: ${said.join('\n').trim().split('\n').slice(-5).join(' | ')}`,
    );
  }
  return { pid, signal: (signal) => void child.kill(signal), kill };
}

function watch(pid: number): () => void {
  const script = 'read -r word && [ "$word" = done ] && exit 0; kill -s KILL "$1" 2>/dev/null';
  const shell = spawn('/bin/sh', ['-c', script, 'nats-watchdog', String(pid)], {
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
