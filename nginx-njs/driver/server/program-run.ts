/**
 * Runs a program to its end with bounded time and output. It never rejects: a program that is missing, that fails or that
 * takes too long is an outcome like any other, and the caller says what it means.
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

const maxOutputBytes = 16 << 20;

export function runProgram(
  program: string,
  args: readonly string[],
  options: { timeoutMs: number; env?: Record<string, string | undefined> },
): Promise<ProgramRun> {
  return new Promise((resolve) => {
    execFile(
      program,
      [...args],
      {
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: maxOutputBytes,
        // Messages are read below, so they must not come in the operator's language.
        env: { ...process.env, LC_ALL: 'C', ...options.env },
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ code: 0, stdout, stderr, failure: null });
        if (typeof error.code === 'number') return resolve({ code: error.code, stdout, stderr, failure: null });
        const failure = error.killed === true ? `no end after ${options.timeoutMs} ms` : error.message;
        resolve({ code: null, stdout, stderr, failure });
      },
    );
  });
}

/** The last line that says something, for an error message. */
export function lastWords(run: ProgramRun): string {
  const lines = `${run.stdout}\n${run.stderr}`.split('\n').map((line) => line.trim());
  return run.failure ?? lines.findLast((line) => line !== '') ?? `exit code ${run.code}`;
}
