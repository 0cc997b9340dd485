/**
 * Runs a program to its end with bounded time and output. It never rejects: a program that is missing, that fails, that
 * takes too long or is called off is an outcome like any other, and the caller says what it means.
 */
import { execFile } from 'node:child_process';

export interface ProgramRun {
  /** The exit code; null when it never started, or was ended by a signal or by the time limit. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why there is no exit code, else null. */
  readonly failure: string | null;
}

export interface ProgramOptions {
  readonly timeoutMs: number;
  /** On top of the own environment. */
  readonly env?: Record<string, string | undefined>;
  /** What it reads from stdin, which then ends. Without it stdin stays open until the program is gone. */
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
}

const maxOutputBytes = 16 << 20;

export function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<ProgramRun> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...args],
      {
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: maxOutputBytes,
        // Messages are read by callers, so they must not come in the operator's language.
        env: { ...process.env, LC_ALL: 'C', ...options.env },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ code: 0, stdout, stderr, failure: null });
        if (typeof error.code === 'number') return resolve({ code: error.code, stdout, stderr, failure: null });
        const late = error.killed === true && options.signal?.aborted !== true;
        const failure = late ? `no end after ${options.timeoutMs} ms` : error.message;
        resolve({ code: null, stdout, stderr, failure });
      },
    );
    // A program that reads nothing closes the pipe; its exit code says what is to be said.
    child.stdin?.on('error', () => {});
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** The last line that says something, for an error message. */
export function lastWords(run: ProgramRun): string {
  const lines = `${run.stdout}\n${run.stderr}`.split('\n').map((line) => line.trim());
  return run.failure ?? lines.findLast((line) => line !== '') ?? `exit code ${run.code}`;
}
