/**
 * One tclsh: started unprivileged where we may, with bounded memory, fed with lines, heard in frames. It ends when its
 * standard input does, so it never outlives this process. What it does not survive is reported once, to `onEnd`.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createFrameReader } from './frame-reader.ts';
import type { Tclsh } from './tclsh.ts';

export interface TclProcess {
  readonly pid: number | undefined;
  /** False when the pipe is full: `drained()` tells when it is not. */
  write(line: string): boolean;
  drained(): Promise<void>;
  /** Settles when the process is gone. */
  close(): Promise<void>;
}

export interface TclProcessOptions {
  tclsh: Tclsh;
  program: string;
  onFrame(fields: string[]): void;
  /** With what it said last, or how it ended. */
  onEnd(reason: string): void;
}

const NOBODY = 65534;
const MAX_MEMORY_KB = 6 * 1024 * 1024;
const STOP_AFTER_MS = 3000;
const MAX_COMPLAINT_CHARS = 4000;

export function startTclProcess({ tclsh, program, onFrame, onEnd }: TclProcessOptions): TclProcess {
  const child = spawnTclsh(tclsh);
  let complaint = '';
  let gone = false;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const ended = new Promise<void>((resolve) => {
    const end = (reason: string): void => {
      if (gone) return;
      gone = true;
      wake();
      resolve();
      onEnd(complaint.trim() === '' ? reason : complaint.trim());
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`));
  });
  const frames = createFrameReader(onFrame);
  child.stdout.on('data', (chunk: Buffer) => {
    if (!gone) frames(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('latin1')).slice(-MAX_COMPLAINT_CHARS);
  });
  // A pipe that breaks is the end of the process, which is told below.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
  child.stdin.on('drain', wake);
  // tclsh reads its program from standard input, and must never take a later line for a command.
  child.stdin.write(
    `catch {eval [read stdin ${program.length}]}; puts stderr $::errorInfo; exit 1\n${program}`,
    'latin1',
  );
  return {
    pid: child.pid,
    write: (line) => gone || child.stdin.write(line, 'latin1'),
    drained: () =>
      gone || !child.stdin.writableNeedDrain ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve)),
    async close() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_AFTER_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function spawnTclsh({ command, env, openToAll }: Tclsh): ChildProcessWithoutNullStreams {
  const unprivileged = process.getuid?.() === 0 && openToAll ? { uid: NOBODY, gid: NOBODY } : {};
  return spawn('/bin/sh', ['-c', `ulimit -v ${MAX_MEMORY_KB}; ulimit -c 0; exec "$@"`, 'sh', ...command], {
    cwd: '/',
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...unprivileged,
  });
}
