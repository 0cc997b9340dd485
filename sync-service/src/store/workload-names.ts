import { setImmediate } from 'node:timers/promises';
import type { AddressKey, Finding, Labels, Workload } from '@edgeward/policy';
import { linkModel } from '@edgeward/policy';
import type { Inventory, Transport } from '@edgeward/policy-feed';
import { documentsFromLines } from '@edgeward/policy-source';
import { backoff, type Clock, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';

/**
 * Names and labels of workloads by address, for whoever reads a denial. Nothing of it is signed, and no verdict depends on
 * it. Read whole or not at all: what can't be read leaves the names that there were.
 */
export interface WorkloadNames {
  at(key: AddressKey): Workload[];
  /** What is in force changed, so that somebody may be elsewhere: asked for soon, where they are few. */
  changed(): void;
  /** Settles when they were asked for once, whatever came of it. */
  asked(): Promise<void>;
  close(): Promise<void>;
}

export interface WorkloadNamesOptions {
  transport: Transport;
  /** 60 s, give or take a fifth; longer after a large inventory. */
  pollMs?: number;
  clock: Clock;
  logger: Logger;
  random?: () => number;
}

export const noNames: WorkloadNames = { at: () => [], changed: () => {}, asked: async () => {}, close: async () => {} };

/** What they may take of a line that carries policy: an inventory of 13 MB is asked for every three minutes at most. */
const CHARACTERS_PER_S = 80_000;
/** Of a change, whose first denials are to have the new names: a thousand workloads are asked for again after some seconds. */
const HURRIED_CHARACTERS_PER_S = 20_000;
const HURRY_MS = 100;
const RETRY_BASE_MS = 1_000;
/** Workloads of one address that a denial can be recorded with. */
const MOST_AT_ONE = 64;

export function followWorkloadNames(options: WorkloadNamesOptions): WorkloadNames {
  const { transport, clock, logger, pollMs = 60_000, random = Math.random } = options;
  const ending = new AbortController();
  const pauses = backoff({ baseMs: RETRY_BASE_MS, maxMs: pollMs, random });
  let names: Names = { byAddress: new Map(), count: 0, characters: 0 };
  let known: string | null = null;
  let lastCode: string | null = null;
  let cancel: () => void = () => {};
  let dueAtMs = Number.NEGATIVE_INFINITY;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let isAsking = false;
  let isHurried = false;

  async function look(): Promise<number> {
    askedAtMs = clock.now();
    const found = (await transport.inventory?.(known, ending.signal)) ?? null;
    if (found !== null) {
      names = await namesIn(found, ending.signal);
      known = found.etag === '' ? null : found.etag;
      logger.debug({ event: 'names_read', store: transport.name, workloads: names.count }, 'names of workloads');
    }
    lastCode = null;
    pauses.reset();
    const leastMs = found === null ? 0 : (names.characters / CHARACTERS_PER_S) * 1000;
    return Math.max(pollMs, leastMs) * (0.8 + 0.4 * random());
  }

  function failed(thrown: unknown): number {
    const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
    const fields = { event: 'names_not_read', store: transport.name, code };
    // That the store is away is told by those who follow it.
    const isNews = code !== lastCode && code !== 'EDW_ERR_STORE_UNREACHABLE';
    logger[isNews ? 'warn' : 'debug'](fields, messageOf(thrown));
    lastCode = code;
    return pauses.nextMs();
  }

  async function turn(): Promise<void> {
    isAsking = true;
    const delayMs = await look().catch(failed);
    isAsking = false;
    schedule(isHurried ? Math.min(delayMs, hurryMs()) : delayMs);
    isHurried = false;
  }

  /** Spread, for those who all hear of it at once. */
  function hurryMs(): number {
    const apartMs = (names.characters / HURRIED_CHARACTERS_PER_S) * 1000;
    return HURRY_MS + Math.max(apartMs * random(), askedAtMs + apartMs - clock.now());
  }

  function schedule(delayMs: number): void {
    if (ending.signal.aborted) return;
    cancel();
    dueAtMs = clock.now() + delayMs;
    cancel = clock.after(delayMs, () => void begin());
  }

  let running: Promise<void> = Promise.resolve();
  const begin = (): Promise<void> => {
    running = turn();
    return running;
  };
  const first = begin();
  return {
    at: (key) => {
      const found = names.byAddress.get(key);
      return found === undefined ? [] : Array.isArray(found) ? found : [found];
    },
    changed() {
      if (isAsking) isHurried = true;
      else if (clock.now() + hurryMs() < dueAtMs) schedule(hurryMs());
    },
    asked: () => first,
    async close() {
      ending.abort();
      cancel();
      await running;
    },
  };
}

interface Names {
  /** Most addresses have one. */
  byAddress: Map<AddressKey, Workload | Workload[]>;
  count: number;
  characters: number;
}

/** Throws EDW_ERR_STORE_ANSWER, and what reading the lines throws. Others get their turn in between. */
async function namesIn(inventory: Inventory, signal: AbortSignal): Promise<Names> {
  const names: Names = { byAddress: new Map(), count: 0, characters: 0 };
  const taken = new Set<string>();
  const same = sharedLabels();
  for await (const lines of inventory.lines) {
    for (const workload of workloadsIn(lines)) {
      if (taken.has(workload.name)) throw refused(`there are two workloads named '${workload.name}'`);
      taken.add(workload.name);
      add(names.byAddress, { ...workload, labels: same(workload.labels) });
    }
    names.characters += lines.reduce((sum, line) => sum + line.length, 0);
    await setImmediate();
    signal.throwIfAborted();
  }
  names.count = taken.size;
  return names;
}

function workloadsIn(lines: readonly string[]): Workload[] {
  const { documents, findings: syntax } = documentsFromLines(lines, 'inventory');
  const findings: Finding[] = [...syntax];
  const { workloads } = linkModel(documents, findings);
  const error = findings.find(({ severity }) => severity === 'error');
  if (error !== undefined) throw refused(error.message);
  if (workloads.length !== lines.length) throw refused('there is something in it that is no workload');
  return workloads.map(({ value }) => value);
}

function add(byAddress: Names['byAddress'], workload: Workload): void {
  for (const key of workload.addresses) {
    const others = byAddress.get(key);
    if (others === undefined) byAddress.set(key, workload);
    else if (!Array.isArray(others)) byAddress.set(key, [others, workload]);
    else if (others.length < MOST_AT_ONE) others.push(workload);
  }
}

/** Thousands of workloads have few sets of labels among them. */
function sharedLabels(): (labels: Labels) => Labels {
  const known = new Map<string, Labels>();
  return (labels) => {
    const text = JSON.stringify(labels);
    const shared = known.get(text) ?? labels;
    known.set(text, shared);
    return shared;
  };
}

function refused(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_ANSWER', `reading the names of workloads: ${why.slice(0, 300)}`, {
    mend: 'The names that were there stay, and no verdict depends on them. Look at the inventory of the store.',
  });
}
