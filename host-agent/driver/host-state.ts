/**
 * What stands in a host's kernel now, as far as it is ours: the rules of both families, what they say of themselves, what
 * differs from that, and the sets. Reads, and writes nothing.
 */
import type { Family } from './layout/host-layout.ts';
import { chainText, digestOf, type FamilyMeta, META_CHAIN, namedDigest, readMeta } from './meta.ts';
import type { Netfilter, SavedChain, SavedRules, SetHeader } from './netfilter/index.ts';
import { effectOf } from './netfilter/saved-rules.ts';
import type { SetContents } from './set-contents.ts';

export const FAMILY_NAMES: Readonly<Record<Family, string>> = { inet: 'IPv4', inet6: 'IPv6' };
/** Members of all sets. */
const READ_AT_ONCE = 10_000;
/** Built-in chains that a jump of ours may stand in. */
export const HOOKED = ['INPUT', 'FORWARD', 'OUTPUT'] as const;
const OWN_CHAIN = /^EW-/;
const OWN_SET = /^ew[46][np]-[0-9a-f]{16}$/;

export const isOwnSet = (name: string): boolean => OWN_SET.test(name);

export interface FamilyState {
  rules: SavedRules;
  /** Null where no policy of ours is in force. */
  meta: FamilyMeta | null;
  /** What is not as the rules say of themselves, in words. */
  drift: string[];
}

export interface HostState {
  /** Those that the host has. */
  families: Map<Family, FamilyState>;
  /** Ours by name. */
  sets: Map<string, SetState>;
}

export interface SetState extends SetHeader {
  /** Of what it should hold: by its name, or by what the rules say of themselves. */
  digest: string;
  /** It holds that. */
  whole: boolean;
  /** A rule of ours names it. One that only somebody else's rule names judges nothing for us, whatever it holds. */
  judges: boolean;
}

export async function readHostState(netfilter: Netfilter, contents: SetContents): Promise<HostState> {
  const [rules, all] = await Promise.all([
    Promise.all(netfilter.families.map(async (family) => ({ family, rules: await netfilter.rules(family) }))),
    netfilter.setHeaders(),
  ]);
  const families = new Map(rules.map(({ family, rules }) => [family, familyState(family, rules)]));
  const grown = new Map([...families.values()].flatMap(({ meta }) => [...(meta?.grown ?? [])]));
  const named = new Set([...families.values()].flatMap(({ rules }) => setsNamed(rules)));
  const sets = new Map<string, SetState>();
  const headers = all.filter(({ name }) => isOwnSet(name));
  contents.keepOnly(headers.map(({ name }) => name));
  // One program costs more than a few thousand members.
  const isLittle = headers.length > 1 && all.reduce((sum, { entries }) => sum + entries, 0) <= READ_AT_ONCE;
  const members = isLittle ? await netfilter.allMembers().catch(() => null) : null;
  for (const header of headers) {
    const digest = grown.get(header.name) ?? namedDigest(header.name);
    const given = members === null ? undefined : (members.get(header.name) ?? []);
    const whole = await contents.isWhole(header, digest, given);
    sets.set(header.name, { ...header, digest, whole, judges: named.has(header.name) });
  }
  return { families, sets };
}

export function familyState(family: Family, rules: SavedRules): FamilyState {
  const meta = readMeta(rules);
  return { rules, meta, drift: meta === null ? [] : driftOf(family, rules, meta) };
}

/** Ours but for the one that tells of the others. */
export function ownChains(rules: SavedRules): [string, SavedChain][] {
  return [...rules].filter(([name]) => OWN_CHAIN.test(name) && name !== META_CHAIN);
}

function setsNamed(rules: SavedRules): string[] {
  return ownChains(rules).flatMap(([, { texts }]) =>
    texts.flatMap((text) => [...text.matchAll(/ --match-set (\S+) /g)].map(([, name = '']) => name)),
  );
}

const RETIRING = /^EW-(?:OK|DENY|PUB-DENY)-(\d{1,5})$/;

/** Those that counted the denials of another generation: they stay until their counters have been read, and judge nothing. */
export function retiredChains(rules: SavedRules, generation: number): string[] {
  return ownChains(rules)
    .filter(([name, { texts }]) => texts.length > 0 && Number(RETIRING.exec(name)?.[1] ?? generation) !== generation)
    .map(([name]) => name);
}

function driftOf(family: Family, rules: SavedRules, meta: FamilyMeta): string[] {
  const name = FAMILY_NAMES[family];
  const hooks = HOOKED.flatMap((chain) => hooksIn(rules, chain).map((hook) => ({ chain, ...hook })));
  const retired = new Set(retiredChains(rules, meta.generation));
  // A chain that somebody else's rule holds fast is emptied and stays: it says nothing.
  const chains = ownChains(rules)
    .filter(([chain, { hashes }]) => hashes.length > 0 && !retired.has(chain))
    .map(([chain, { hashes, texts }]) =>
      chainText(
        chain,
        hashes.map((hash, at) => ({ hash, effect: effectOf(texts[at] ?? '') })),
      ),
    );
  const found = digestOf(
    chains,
    hooks.map(({ chain, target }) => `${chain} ${target}`),
  );
  const behind = hooks
    .filter(({ at }) => at > 0)
    .map(({ chain, target }) => `${name}: a rule stands before ${target} in ${chain}`);
  return found === meta.digest ? behind : [`${name}: rules differ from what was written`, ...behind];
}

export interface FoundHook {
  /** From 0. */
  at: number;
  target: string;
  /** After `-A INPUT `. */
  text: string;
}

const HOOK = /^-m comment --comment "?ew:[0-9a-f]{12}"? -j (EW-[A-Z]+)$/;

/** Jumps of ours from a built-in chain. */
export function hooksIn(rules: SavedRules, chain: string): FoundHook[] {
  const texts = rules.get(chain)?.texts ?? [];
  return texts.flatMap((text, at) => {
    const target = HOOK.exec(text)?.[1];
    return target === undefined ? [] : [{ at, target, text }];
  });
}

/** A rule of somebody else jumps there: the kernel would refuse to delete it, and with it the whole transaction. */
export function isHeld(found: SavedRules, name: string): boolean {
  return [...found]
    .filter(([chain]) => !chain.startsWith('EW-'))
    .some(([chain, { texts }]) => {
      const own = new Set(hooksIn(found, chain).map(({ text }) => text));
      return texts.some((text) => !own.has(text) && ` ${text} `.includes(` ${name} `));
    });
}

/** Sets that judge and hold something else than they did. */
export function changedSets({ sets }: HostState): string[] {
  return [...sets.values()].filter(({ whole, judges }) => !whole && judges).map(({ name }) => name);
}
