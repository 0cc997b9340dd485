/**
 * Says that a policy directory may have changed. Events of the file system are a hint that makes it fast; a poll of
 * what `stat` says makes it certain: missed events, a directory that was swapped by rename or by a symbolic link, one
 * that went away and came back. Every directory of the tree is watched by itself, because `fs.watch` with `recursive`
 * follows no links and, on Linux, takes a watch per file. May call when nothing changed; never misses for longer than
 * a poll. Keeps no process alive.
 */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { messageOf } from '@edgeward/runtime';
import { walkTree } from './directory-tree.ts';

/** What is needed of a logger; pino fits. */
export interface WatchLogger {
  warn(fields: object, message: string): void;
}

export interface DirectoryWatchOptions {
  /**
   * Called after a change, also when the directory went away, and once at the start, when watching has begun: what
   * changed between the caller's first reading and the watch is not missed. Calls do not overlap.
   */
  onChange(): void | Promise<void>;
  /** Quiet time after an event before `onChange`. */
  debounceMs?: number;
  pollMs?: number;
  logger?: WatchLogger;
}

export interface DirectoryWatch {
  close(): void;
}

/** A stream of events cannot postpone `onChange` for longer than this. */
const maxWaitMs = 250;

interface Seen {
  signature: string;
  directories: string[];
}

async function look(dir: string): Promise<Seen> {
  try {
    const { signature, directories } = await walkTree(dir);
    return { signature, directories };
  } catch (thrown) {
    return { signature: `away: ${messageOf(thrown)}`, directories: [] };
  }
}

type OnEvent = (path: string, name: string | null) => void;

interface Watches {
  /** Watches exactly these directories, by what they are and not by their name. True when any is new. */
  follow(directories: readonly string[]): Promise<boolean>;
  close(): void;
}

function createWatches(onEvent: OnEvent, onFailure: (path: string, thrown: unknown) => void): Watches {
  const open = new Map<string, FSWatcher>();
  let closed = false;

  function drop(key: string): void {
    open.get(key)?.close();
    open.delete(key);
  }

  function add(key: string, path: string): boolean {
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => onEvent(path, name));
      open.set(key, watcher);
      watcher.on('error', (thrown) => {
        drop(key);
        onFailure(path, thrown);
        onEvent(path, null);
      });
      return true;
    } catch (thrown) {
      onFailure(path, thrown);
      return false;
    }
  }

  return {
    async follow(directories) {
      const wanted = new Map<string, string>();
      for (const path of directories) {
        const stats = await stat(path, { bigint: true }).catch(() => null);
        // The inode is part of the key: after a swap the same name is another directory.
        if (stats !== null) wanted.set(`${path}\0${stats.dev}:${stats.ino}`, path);
      }
      for (const key of [...open.keys()]) if (!wanted.has(key)) drop(key);
      if (closed) return false;
      let added = false;
      for (const [key, path] of wanted) if (!open.has(key) && add(key, path)) added = true;
      return added;
    },
    close() {
      closed = true;
      for (const key of [...open.keys()]) drop(key);
    },
  };
}

export function watchDirectory(dir: string, options: DirectoryWatchOptions): DirectoryWatch {
  const { onChange, debounceMs = 40, pollMs = 2_000, logger } = options;
  const failed = new Set<string>();
  let closed = false;
  let busy = false;
  let hinted = false;
  let firstHintMs = 0;
  let signature: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  const root = resolve(dir);
  const parent = dirname(root);
  // The parent tells of a directory that is swapped or comes back; what else happens there is not ours.
  const onEvent: OnEvent = (path, name) => {
    if (path !== parent || name === null || name === basename(root)) hint();
  };
  const watches = createWatches(onEvent, (path, thrown) => {
    const error = messageOf(thrown);
    if (failed.has(error)) return;
    failed.add(error);
    logger?.warn({ event: 'policy_watch_degraded', path, error, pollMs }, 'watching by polling only');
  });

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => void turn(), delayMs).unref();
  }

  function hint(): void {
    const nowMs = performance.now();
    if (!hinted) firstHintMs = nowMs;
    hinted = true;
    if (!busy) schedule(Math.max(0, Math.min(debounceMs, firstHintMs + maxWaitMs - nowMs)));
  }

  async function notify(): Promise<void> {
    try {
      await onChange();
    } catch (thrown) {
      logger?.warn({ event: 'policy_watch_listener_failed', error: messageOf(thrown) }, 'a listener failed');
    }
  }

  /** One look at the tree, by hint or by poll. The look comes first: what changes after it differs from it. */
  async function turn(): Promise<void> {
    busy = true;
    let changed = hinted;
    hinted = false;
    let seen = await look(root);
    changed ||= seen.signature !== signature;
    // What came into a directory before its watch began gave no event: look again.
    if (await watches.follow([parent, ...seen.directories])) {
      const again = await look(root);
      changed ||= again.signature !== seen.signature;
      seen = again;
    }
    signature = seen.signature;
    if (changed && !closed) await notify();
    busy = false;
    schedule(hinted ? debounceMs : pollMs);
  }

  void turn();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      watches.close();
    },
  };
}
