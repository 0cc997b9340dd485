/**
 * What is over: chains that counted denials under another generation, and sets that no rule names. It is taken away after the
 * answer of an apply, because the kernel lets go of a set a while after its last rule went. What can't go is left to the next
 * apply; nothing of it judges anybody.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import { countersIn, type DenyCounter } from './deny-counters.ts';
import { retiredChains } from './host-state.ts';
import type { Family } from './layout/host-layout.ts';
import { readMeta } from './meta.ts';
import type { Netfilter, SavedRules } from './netfilter/index.ts';
import { dropRetired } from './rule-writes.ts';

export interface Collection {
  /** Of these sets, those that are not wanted are no longer named by a rule of ours. */
  begin(outcome: { sets: Iterable<string>; wanted: ReadonlySet<string>; wrote: boolean }): void;
  /** Sets that are still to go. */
  pending(): ReadonlySet<string>;
  /** Nothing is left that can go soon. */
  settled(): Promise<void>;
  /** Once more, and no waiting. */
  close(): Promise<void>;
}

const TRY_AGAIN_MS = [20, 100, 400, 2000, 10_000];

export interface CollectionOptions {
  netfilter: Netfilter;
  /** Beside no apply and no look. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** The last that is known of generations that are over. */
  onRetired(counters: DenyCounter[]): void;
}

export function createCollection({ netfilter, exclusively, onRetired }: CollectionOptions): Collection {
  const left = new Set<string>();
  const closing = new AbortController();
  let running: Promise<void> | null = null;
  let pauses: number[] = [];

  const collect = (): Promise<void> =>
    exclusively(async () => {
      for (const family of netfilter.families) await dropChains(await netfilter.rules(family), family);
      await destroySets(netfilter, left);
    }).catch(() => {}); // The policy is in force. Whoever writes next finds the same fault, and tells it.

  async function dropChains(rules: SavedRules, family: Family): Promise<void> {
    const meta = readMeta(rules);
    const retired = meta === null ? [] : retiredChains(rules, meta.generation);
    if (retired.length === 0) return;
    const counted = new Map([...rules].filter(([name]) => retired.includes(name)));
    // Told before they go: whoever is told twice sees the same number.
    onRetired(countersIn(family, counted));
    await netfilter.writeRules(family, dropRetired(rules, retired));
  }

  /** The first time at once, before anybody can look. */
  async function run(first: Promise<void>): Promise<void> {
    await first;
    for (let pauseMs = pauses.shift(); pauseMs !== undefined && left.size > 0; pauseMs = pauses.shift()) {
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => {});
      await collect();
      if (closing.signal.aborted) return;
    }
  }

  return {
    begin: ({ sets, wanted, wrote }) => {
      for (const set of sets) left.add(set);
      for (const set of wanted) left.delete(set);
      if (left.size === 0 && !wrote) return;
      pauses = [...TRY_AGAIN_MS];
      const first = collect();
      running ??= run(first).finally(() => {
        running = null;
      });
    },
    pending: () => left,
    settled: async () => {
      await running;
    },
    close: async () => {
      closing.abort();
      await running;
    },
  };
}

/** One that a rule names again, by a later apply, is no longer to go. */
async function destroySets(netfilter: Netfilter, left: Set<string>): Promise<void> {
  if (left.size === 0) return;
  const headers = new Map((await netfilter.setHeaders()).map((header) => [header.name, header]));
  for (const name of left) if (!headers.has(name)) left.delete(name);
  const free = [...left].filter((name) => headers.get(name)?.references === 0);
  if (free.length === 0) return;
  try {
    await netfilter.writeSets(free.map((name) => `destroy ${name}`));
    for (const name of free) left.delete(name);
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_POINT_REFUSED')) throw thrown;
  }
}
