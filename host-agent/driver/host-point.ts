import type { Actual, Applied, EnforcementPoint } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { applyPolicy } from './apply.ts';
import { createCollection } from './collection.ts';
import type { DenyCounter } from './deny-counters.ts';
import { changedSets, FAMILY_NAMES, type HostState, readHostState, retiredChains } from './host-state.ts';
import type { HostOptions } from './layout/host-layout.ts';
import type { Netfilter } from './netfilter/index.ts';
import { createSetContents } from './set-contents.ts';
import { createStandingRules } from './standing-rules.ts';
import { createStandingSets } from './standing-sets.ts';

/**
 * One host, by iptables and ipset. What is in force is told by the kernel itself: nothing is kept beside it, so that no file
 * can be wrong about it. Rules of others are read and never written. Closing leaves everything in force.
 */
export interface HostPointOptions {
  name: string;
  options: HostOptions;
  netfilter: Netfilter;
  /** The last that is known of what a generation denied that is over: told before its counters go. */
  onRetired?(counters: DenyCounter[]): void;
}

export interface HostPoint extends EnforcementPoint {
  /**
   * Cheap: the rules alone, against what stood after the last apply. What differs, in words; with `mend` it is put back at once,
   * and the apply that must follow has judged anew what was let in meanwhile.
   */
  checkRules(mend: boolean): Promise<string[]>;
  /** Cheap: headers of sets. Names of those that `inspect` should read; empty where none moved. */
  checkSets(): Promise<string[]>;
  /** What an apply left to be taken away later is gone, or can't go. */
  settled(): Promise<void>;
}

export function createHostPoint({ name, options, netfilter, onRetired }: HostPointOptions): HostPoint {
  const contents = createSetContents(netfilter, Date.now);
  const standing = { rules: createStandingRules(netfilter), sets: createStandingSets(netfilter) };
  let last: Last | null = null;
  let queue: Promise<unknown> = Promise.resolve();

  /** Odd while an apply is under way. */
  let moves = 0;

  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const next = queue.then(work, work);
    queue = next.catch(() => {});
    return next;
  }

  /** Looking in the middle of an apply would see its halves; a long look at large sets must not hold one up. */
  async function undisturbed<T>(look: () => Promise<T>): Promise<T> {
    for (let tries = 0; tries < LOOKS; tries += 1) {
      await queue;
      const before = moves;
      const seen = await look();
      if (moves === before && moves % 2 === 0) return seen;
    }
    return exclusively(look);
  }

  async function moving<T>(move: () => Promise<T>): Promise<T> {
    standing.rules.forget();
    moves += 1;
    try {
      return await move();
    } finally {
      moves += 1;
    }
  }

  const collection = createCollection({
    netfilter,
    exclusively: (collect) => exclusively(() => moving(collect)),
    onRetired: onRetired ?? (() => {}),
  });

  async function apply(desired: CompiledPolicy): Promise<Applied> {
    // Collecting changes no set that judges: what those held is known over it.
    standing.sets.forget();
    const outcome = await applyPolicy({ point: name, options, netfilter, contents, last }, desired);
    last = { revision: desired.revision, hash: desired.hash, generation: outcome.generation };
    collection.begin(outcome);
    return outcome.applied;
  }

  return {
    name,
    inspect: () =>
      undisturbed(async () => actualOf(await readHostState(netfilter, contents), last, collection.pending())),
    apply: (desired) => exclusively(() => moving(() => apply(desired))),
    checkRules: (mend) => exclusively(() => standing.rules.look(mend)),
    checkSets: () => exclusively(standing.sets.look),
    settled: collection.settled,
    close: async () => {
      await collection.close();
      await queue;
    },
  };
}

/** After which an apply waits for the look. */
const LOOKS = 3;

interface Last {
  revision: number;
  hash: string;
  generation: number;
}

/** A policy is in force when both families have it: of two revisions the older one is told. */
function actualOf(state: HostState, last: Last | null, pending: ReadonlySet<string>): Actual {
  const families = [...state.families];
  const gone = families.filter(([, { meta }]) => meta === null).map(([family]) => family);
  const [oldest] = families
    .flatMap(([, { meta }]) => meta ?? [])
    .toSorted((one, other) => one.revision - other.revision);
  if (gone.length > 0 || oldest === undefined) {
    // Whoever starts anew finds a host without a policy; whoever had one finds it taken away.
    if (last === null) return { state: 'empty' };
    const drift = gone.map((family) => `${FAMILY_NAMES[family]}: our rules are gone`);
    return { state: 'loaded', revision: last.revision, hash: last.hash, drift, unfinished: [] };
  }
  const { revision, hash } = oldest;
  const drift = [
    ...families.flatMap(([, family]) => family.drift),
    ...changedSets(state).map((set) => `set ${set} was changed`),
  ];
  return { state: 'loaded', revision, hash, drift, unfinished: unfinishedOf(state, pending) };
}

function unfinishedOf({ families, sets }: HostState, pending: ReadonlySet<string>): string[] {
  const metas = [...families].flatMap(([family, { meta }]) => (meta === null ? [] : [{ family, meta }]));
  const revisions = new Set(metas.map(({ meta }) => meta.revision));
  const free = [...sets.values()].filter(({ name, references }) => references === 0 && !pending.has(name)).length;
  const retired = [...families.values()].flatMap(({ rules, meta }) =>
    meta === null ? [] : retiredChains(rules, meta.generation),
  ).length;
  const judging = metas.map(({ family, meta }) => `${FAMILY_NAMES[family]} judges by revision ${meta.revision}`);
  return [
    ...(revisions.size === 1 ? [] : [judging.join(', ')]),
    ...(free === 0 ? [] : [`${free} sets that no rule names`]),
    ...(retired === 0 ? [] : [`${retired} chains of a generation that is over`]),
  ];
}
