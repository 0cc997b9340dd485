/**
 * Denials with a truth of their own: each request is in a file, and on disk, before it is sent, and what was answered is known.
 * Where NGINX is killed some get no answer: whether those were denied nobody can say, and they are as many as were under way.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, dev, stranger } from './site.ts';

export interface DeniedTruth {
  /** Paths that were sent. */
  sent(): string[];
  /** Of these, answered 403: NGINX has written their line. */
  answered(): string[];
  /** No answer came, or not within five seconds. */
  unanswered(): string[];
  /** Rejects where a request was let in. Nothing is under way after it. */
  end(): Promise<void>;
}

/** So many at the same time. */
const lanes = 3;
const pauseMs = 12;

/** Paths begin with `/NAME/`. */
export async function denyWithTruth(folder: string, port: number, name: string): Promise<DeniedTruth> {
  const truth = await open(join(folder, `truth-${name}`), 'a');
  const over = new AbortController();
  const found = { sent: [] as string[], answered: [] as string[], unanswered: [] as string[] };
  const asking = Promise.all(Array.from({ length: lanes }, () => lane(truth)));
  // Heard of at the end.
  asking.catch(() => {});

  async function lane(to: FileHandle): Promise<void> {
    while (!over.signal.aborted) {
      const path = `/${name}/${found.sent.length}`;
      found.sent.push(path);
      await to.write(`${path}\n`);
      await to.datasync();
      const from = found.sent.length % 4 === 0 ? dev : stranger;
      const status = await ask(port, from, path).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status !== 403 && status !== 0) throw new Error(`${path} was answered ${status}`);
      (status === 403 ? found.answered : found.unanswered).push(path);
      await sleep(pauseMs);
    }
  }

  return {
    sent: () => [...found.sent],
    answered: () => [...found.answered],
    unanswered: () => [...found.unanswered],
    async end() {
      over.abort();
      await asking.finally(() => truth.close());
    },
  };
}
