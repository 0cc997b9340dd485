/**
 * What a family's rules say of themselves: a chain that nothing jumps to, whose one rule's comment tells revision, policy,
 * generation and a digest of the rules. It is written in the transaction that brings them into force, so that the kernel
 * itself says which policy judges, and no file can say otherwise. Only numbers and hashes are in it. Pure.
 */
import { sha256Hex } from '@edgeward/runtime';
import type { FamilyLayout, RuleLayout } from './layout/host-layout.ts';
import type { SavedRules } from './netfilter/index.ts';

export const META_CHAIN = 'EW-META';

export interface FamilyMeta {
  revision: number;
  /** Of the policy. */
  hash: string;
  generation: number;
  /** 16 hex over chains, rules and hooks, as `layoutDigest` makes it. */
  digest: string;
}

/** The arguments of the one rule: `ew1:<revision>:<hash>:<generation>:<digest>`. */
export function formatMeta({ revision, hash, generation, digest }: FamilyMeta): string {
  return `-m comment --comment ew1:${revision}:${hash}:${generation}:${digest}`;
}

const META = /^-m comment --comment "?ew1:(\d{1,15}):([0-9a-f]{64}):(\d{1,10}):([0-9a-f]{16})"?$/;

/** Null where there is none, or one that is not ours. */
export function readMeta(rules: SavedRules): FamilyMeta | null {
  const [, revision, hash, generation, digest] = META.exec(rules.get(META_CHAIN)?.texts[0] ?? '') ?? [];
  if (hash === undefined || digest === undefined) return null;
  return { revision: Number(revision), hash, generation: Number(generation), digest };
}

/** Of what is to stand in one family: names of chains, and in each the hashes of its rules; then what is hooked where. */
export function layoutDigest(layout: FamilyLayout): string {
  const chains = layout.chains.map(({ name, rules }) =>
    chainText(
      name,
      rules.map(({ hash }) => hash),
    ),
  );
  return digestOf(
    chains,
    layout.hooks.map(({ chain, rule }) => `${chain} ${hookTarget(rule)}`),
  );
}

export function digestOf(chains: readonly string[], hooks: readonly string[]): string {
  return sha256Hex([...[...chains].sort(), ...[...hooks].sort()].join('\n')).slice(0, 16);
}

export function chainText(name: string, hashes: readonly (string | null)[]): string {
  return `${name}: ${hashes.map((hash) => hash ?? '?').join(' ')}`;
}

/** `EW-IN` of `-j EW-IN`. */
export function hookTarget(rule: readonly string[]): string {
  return rule.at(-1) ?? '';
}

/** One line of iptables-restore. */
export function ruleLine(chain: string, { args, hash }: RuleLayout): string {
  return `-A ${chain} ${args.join(' ')} -m comment --comment ew:${hash}`;
}
