/**
 * A process for one large piece of policy: points are answered meanwhile, and all that it took is given back when it ends. Of
 * a thread 0.2 GB would stay with the store, and of this process's own heap the room that the garbage had.
 */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ThreadLimits } from './bounded-thread.ts';
import type { Recomputation } from './recomputation.ts';
import { thrownFrom } from './thrown-text.ts';

/** What a process is told, once. */
export type PolicyTask =
  /** The answer: as of `slice`. */
  | { do: 'recompute'; recomputation: Recomputation; limits: ThreadLimits }
  /** `documents`: canonical, of one version. The answer: rules documents, one a line. */
  | { do: 'slice'; documents: Uint8Array };

/** `thrown`: as `thrownText` writes it; the empty text: nothing was. */
export interface PolicyAnswer {
  thrown: string;
  lines: Uint8Array | null;
}

/** From source as well as built. Flags of this process, such as its conditions, hold for that one too. */
const PROGRAM = fileURLToPath(new URL(`./recomputation-thread${extname(import.meta.url)}`, import.meta.url));

/** Settles when the process has ended: its memory is free before the next one begins. Throws what was thrown there. */
export async function inProcess(what: string, task: PolicyTask): Promise<Uint8Array | null> {
  const child = fork(PROGRAM, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let answer: PolicyAnswer | null = null;
  child.once('message', (message) => {
    answer = message as PolicyAnswer;
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`));
  });
  // What can't be sent is told by its end.
  child.send(task, () => {});
  const end = await ended;
  return told(what, answer, end);
}

function told(what: string, answer: PolicyAnswer | null, end: string): Uint8Array | null {
  if (answer === null) throw new Error(`${what}: ${end}`);
  if (answer.thrown !== '') throw thrownFrom(answer.thrown);
  return answer.lines;
}
