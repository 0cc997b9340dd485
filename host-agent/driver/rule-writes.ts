/**
 * The one transaction that brings a family's rules into force. Chains that are as they should be are left out, so that their
 * counters live on; chains that are no longer wanted go in the same transaction, but for those whose counters are still to be
 * read; rules of others are never named in it.
 */

import { sha256Hex } from '@edgeward/runtime';
import { HOOKED, hooksIn, isHeld, ownChains, retiredChains } from './host-state.ts';
import type { ChainLayout, FamilyLayout, HookLayout, RuleLayout } from './layout/host-layout.ts';
import { type FamilyMeta, formatMeta, META_CHAIN, ruleLine } from './meta.ts';
import type { SavedRules } from './netfilter/index.ts';
import { effectOf } from './netfilter/saved-rules.ts';

export interface RuleChanges {
  changed: ChainLayout[];
  stale: string[];
  /** `-D` and `-I` of built-in chains. */
  hooks: string[];
}

/** What differs between what is there and what is to be; what rules say of themselves is left out. */
export function ruleChanges(found: SavedRules, layout: FamilyLayout, generation: number): RuleChanges {
  return {
    changed: layout.chains.filter((chain) => !isThere(found, chain)),
    stale: staleChains(found, layout, generation),
    hooks: HOOKED.flatMap((chain) => hookLines(found, chain, layout.hooks)),
  };
}

/** Lines between `*filter` and `COMMIT`; none where everything is as it should be. */
export function ruleWrites(found: SavedRules, layout: FamilyLayout, meta: FamilyMeta): string[] {
  const { changed, stale, hooks } = ruleChanges(found, layout, meta.generation);
  const told = (found.get(META_CHAIN)?.texts ?? []).join('\n').replaceAll('"', '');
  const telling = formatMeta(meta);
  if (told === telling.join('\n') && changed.length === 0 && stale.length === 0 && hooks.length === 0) return [];
  return [
    // Declaring a chain makes it, or empties it: within the transaction.
    ...[...changed.map(({ name }) => name), ...stale, META_CHAIN].map((name) => `:${name} - [0:0]`),
    ...changed.flatMap(({ name, rules }) => rules.map((rule) => ruleLine(name, rule))),
    ...telling.map((words) => `-A ${META_CHAIN} ${words}`),
    ...hooks,
    ...stale.filter((name) => !isHeld(found, name)).map((name) => `-X ${name}`),
  ];
}

/** What counted the denials of a generation that is over: nothing leads there, so what is read of it is final. */
export function dropRetired(found: SavedRules, retired: readonly string[]): string[] {
  return [
    ...retired.map((name) => `:${name} - [0:0]`),
    ...retired.filter((name) => !isHeld(found, name)).map((name) => `-X ${name}`),
  ];
}

function isThere(found: SavedRules, { name, rules }: ChainLayout): boolean {
  const { hashes, texts } = found.get(name) ?? { hashes: null, texts: [] };
  const isRule = ({ hash, args }: RuleLayout, at: number): boolean =>
    hashes?.[at] === hash && effectOf(texts[at] ?? '') === effectOf(args.join(' '));
  return hashes?.length === rules.length && rules.every(isRule);
}

/** An empty one that somebody else's rule holds fast is as good as gone. */
function staleChains(found: SavedRules, { chains }: FamilyLayout, generation: number): string[] {
  const wanted = new Set([...chains.map(({ name }) => name), ...retiredChains(found, generation)]);
  return ownChains(found)
    .filter(([name, { texts }]) => !wanted.has(name) && (texts.length > 0 || !isHeld(found, name)))
    .map(([name]) => name);
}

function hookLines(found: SavedRules, chain: string, hooks: readonly HookLayout[]): string[] {
  const wanted = hooks.filter((hook) => hook.chain === chain);
  const present = hooksIn(found, chain);
  const right =
    present.length === wanted.length &&
    wanted.every(({ target }, at) => present[at]?.at === at && present[at]?.target === target);
  if (right) return [];
  const inserted = [...wanted].reverse().map(({ target }) => {
    const words = `-j ${target}`;
    return `-I ${chain} 1 -m comment --comment ew:${sha256Hex(words).slice(0, 12)} ${words}`;
  });
  return [...present.map(({ text }) => `-D ${chain} ${text}`), ...inserted];
}
