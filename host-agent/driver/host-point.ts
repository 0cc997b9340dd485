import type { Actual, Applied, EnforcementPoint } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { applyPolicy } from './apply.ts';
import { changedSets, FAMILIES, FAMILY_NAMES, type HostState, readHostState } from './host-state.ts';
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
}

export interface HostPoint extends EnforcementPoint {
  /**
   * Cheap: the rules alone, against what stood after the last apply. What differs, in words; with `mend` it is put back at once,
   * and the apply that must follow has judged anew what was let in meanwhile.
   */
  checkRules(mend: boolean): Promise<string[]>;
  /** Cheap: headers of sets. Names of those that `inspect` should read; empty where none moved. */
  checkSets(): Promise<string[]>;
}

export function createHostPoint({ name, options, netfilter }: HostPointOptions): HostPoint {
  const contents = createSetContents(netfilter, Date.now);
  const standing = { rules: createStandingRules(netfilter), sets: createStandingSets(netfilter) };
  let last: { revision: number; hash: string } | null = null;
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

  async function apply(desired: CompiledPolicy): Promise<Applied> {
    standing.rules.forget();
    standing.sets.forget();
    moves += 1;
    try {
      const applied = await applyPolicy({ point: name, options, netfilter, contents }, desired);
      last = { revision: desired.revision, hash: desired.hash };
      return applied;
    } finally {
      moves += 1;
    }
  }

  return {
    name,
    inspect: () => undisturbed(async () => actualOf(await readHostState(netfilter, contents), last)),
    apply: (desired) => exclusively(() => apply(desired)),
    checkRules: (mend) => exclusively(() => standing.rules.look(mend)),
    checkSets: () => exclusively(standing.sets.look),
    close: async () => {
      await queue;
    },
  };
}

/** After which an apply waits for the look. */
const LOOKS = 3;

/** A policy is in force when both families have it: of two revisions the older one is told. */
function actualOf(state: HostState, last: { revision: number; hash: string } | null): Actual {
  const [inet, inet6] = FAMILIES.map((family) => state.families[family].meta);
  if (inet === null || inet === undefined || inet6 === null || inet6 === undefined) {
    // Whoever starts anew finds a host without a policy; whoever had one finds it taken away.
    if (last === null) return { state: 'empty' };
    const gone = FAMILIES.filter((family) => state.families[family].meta === null);
    return {
      state: 'loaded',
      ...last,
      drift: gone.map((family) => `${FAMILY_NAMES[family]}: our rules are gone`),
      unfinished: [],
    };
  }
  const { revision, hash } = inet.revision < inet6.revision ? inet : inet6;
  const drift = [
    ...FAMILIES.flatMap((family) => state.families[family].drift),
    ...changedSets(state).map((set) => `set ${set} was changed`),
  ];
  return { state: 'loaded', revision, hash, drift, unfinished: unfinishedOf(state, inet.revision, inet6.revision) };
}

function unfinishedOf({ sets }: HostState, inet: number, inet6: number): string[] {
  const free = [...sets.values()].filter(({ references }) => references === 0).length;
  return [
    ...(inet === inet6 ? [] : [`IPv4 judges by revision ${inet}, IPv6 by revision ${inet6}`]),
    ...(free === 0 ? [] : [`${free} sets that no rule names`]),
  ];
}
