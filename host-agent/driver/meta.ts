/**
 * What a family's rules say of themselves: a chain that nothing jumps to, whose rules' comments tell revision, policy,
 * generation, a digest of the rules and of sets that have grown. It is written in the transaction that brings rules into
 * force, and after what was added to sets, so that the kernel itself says which policy judges, and no file can say otherwise.
 * Only numbers and hashes are in it. Pure.
 */
import { sha256Hex } from '@edgeward/runtime';
import type { FamilyLayout, HostLayout, RuleLayout } from './layout/host-layout.ts';
import type { SavedRules } from './netfilter/index.ts';
import { effectOf } from './netfilter/saved-rules.ts';

export const META_CHAIN = 'EW-META';

export interface FamilyMeta {
  revision: number;
  /** Of the policy. */
  hash: string;
  generation: number;
  /** 16 hex over chains, rules and hooks, as `layoutDigest` makes it. */
  digest: string;
  /** 8 hex that samples carry. */
  sampled: string;
  /** Sets that hold something else than their name says, by name: the digest of what they hold. */
  grown: ReadonlyMap<string, string>;
}

export function metaOf({ revision, hash, generation, sampled }: HostLayout, layout: FamilyLayout): FamilyMeta {
  const grown = layout.sets.filter(({ name, digest }) => namedDigest(name) !== digest);
  return {
    ...{ revision, hash, generation, sampled, digest: layoutDigest(layout) },
    grown: new Map(grown.map(({ name, digest }) => [name, digest])),
  };
}

/** What a set of this name held when it was made. */
export function namedDigest(set: string): string {
  return set.slice(-16);
}

/**
 * The arguments of the rules, of which only the comments say something: `ew1:<revision>:<hash>:<generation>:<digest>:<sampled>`,
 * then `ew1:set:<name>:<digest>` for each set that has grown.
 */
export function formatMeta({ revision, hash, generation, digest, sampled, grown }: FamilyMeta): string[] {
  const sets = [...grown].map(([name, held]) => `set:${name}:${held}`);
  return [`${revision}:${hash}:${generation}:${digest}:${sampled}`, ...sets].map(
    (words) => `-m comment --comment ew1:${words}`,
  );
}

const META = /^-m comment --comment "?ew1:(\d{1,15}):([0-9a-f]{64}):(\d{1,10}):([0-9a-f]{16}):([0-9a-f]{8})"?$/;
const GROWN = /^-m comment --comment "?ew1:set:(ew[46][np]-[0-9a-f]{16}):([0-9a-f]{16})"?$/;

/** Null where there is none, or one that is not ours. */
export function readMeta(rules: SavedRules): FamilyMeta | null {
  const [first = '', ...more] = rules.get(META_CHAIN)?.texts ?? [];
  const [, revision, hash, generation, digest, sampled] = META.exec(first) ?? [];
  if (hash === undefined || digest === undefined || sampled === undefined) return null;
  const grown = more.flatMap((text): [string, string][] => {
    const [, name, held] = GROWN.exec(text) ?? [];
    return name === undefined || held === undefined ? [] : [[name, held]];
  });
  return { revision: Number(revision), hash, generation: Number(generation), digest, sampled, grown: new Map(grown) };
}

/** Of what is to stand in one family: names of chains, and in each the hashes of its rules; then what is hooked where. */
function layoutDigest(layout: FamilyLayout): string {
  const chains = layout.chains.map(({ name, rules }) =>
    chainText(
      name,
      rules.map(({ hash, args }) => ({ hash, effect: effectOf(args.join(' ')) })),
    ),
  );
  return digestOf(
    chains,
    layout.hooks.map(({ chain, target }) => `${chain} ${target}`),
  );
}

export function digestOf(chains: readonly string[], hooks: readonly string[]): string {
  return sha256Hex([...[...chains].sort(), ...[...hooks].sort()].join('\n')).slice(0, 16);
}

/**
 * A rule's comment says what it was, and not what it does: whoever exchanged DROP for ACCEPT, or dropped one caller's packets
 * only, has kept the comment.
 */
export function chainText(name: string, rules: readonly { hash: string | null; effect: string }[]): string {
  return `${name}: ${rules.map(({ hash, effect }) => (hash === null ? '?' : `${hash} ${effect}`)).join(', ')}`;
}

/** One line of iptables-restore. */
export function ruleLine(chain: string, { args, hash }: RuleLayout): string {
  return `-A ${chain} ${args.join(' ')} -m comment --comment ew:${hash}`;
}
