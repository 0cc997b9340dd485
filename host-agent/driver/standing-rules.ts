/**
 * The rules as they stood when the last apply of this process had ended, to the letter. To look whether they still stand so costs
 * one program a family, and to put them back one more: no policy is laid out and no set is read, however large it is.
 *
 * Rules that were put back say of themselves that they are not as they were written. The next apply, also one of another
 * process, so gives them a new generation, and what was let in meanwhile is judged anew. Until then the work is half done.
 */
import { FAMILY_NAMES, familyState, HOOKED, hooksIn, ownChains } from './host-state.ts';
import type { Family } from './layout/host-layout.ts';
import { formatMeta, META_CHAIN, readMeta } from './meta.ts';
import type { Netfilter, SavedRules } from './netfilter/index.ts';

export interface StandingRules {
  /** An apply begins: what stands is another thing from now on. */
  forget(): void;
  /** What is not as it stood, in words, and with `mend` it stands so again. The first look after an apply takes what it finds. */
  look(mend: boolean): Promise<string[]>;
}

interface Standing {
  /** Rules by chain, without quotes; what the rules say of themselves apart. */
  chains: Map<string, readonly string[]>;
  meta: readonly string[];
  hooks: { chain: string; target: string; text: string }[];
}

interface Found {
  family: Family;
  rules: SavedRules;
}

const NOT_AS_WRITTEN = '0'.repeat(16);

export function createStandingRules(netfilter: Netfilter): StandingRules {
  let standing: ReadonlyMap<Family, Standing> | null = null;

  async function look(mend: boolean): Promise<string[]> {
    const found = await Promise.all(
      netfilter.families.map(async (family) => ({ family, rules: await netfilter.rules(family) })),
    );
    if (standing === null) {
      const wrong = found.flatMap(wrongInItself);
      if (wrong.length === 0) standing = new Map(found.map(({ family, rules }) => [family, standingOf(rules)]));
      return wrong;
    }
    const differing = found.flatMap(({ family, rules }) => {
      const stood = standing?.get(family);
      const words = stood === undefined ? [] : differences(family, rules, stood);
      return stood === undefined || words.length === 0 ? [] : [{ family, rules, stood, words }];
    });
    if (mend) await Promise.all(differing.map((one) => putBack(netfilter, one)));
    return differing.flatMap(({ words }) => words);
  }

  return {
    forget: () => {
      standing = null;
    },
    look,
  };
}

function wrongInItself({ family, rules }: Found): string[] {
  const { meta, drift } = familyState(family, rules);
  return meta === null ? [`${FAMILY_NAMES[family]}: our rules are gone`] : drift;
}

const plain = (text: string): string => text.replaceAll('"', '');

function standingOf(rules: SavedRules): Standing {
  return { chains: chainsOf(rules), meta: metaTexts(rules), hooks: HOOKED.flatMap((chain) => hooksOf(rules, chain)) };
}

/** An empty one says nothing, and may be held fast by somebody else's rule. */
function chainsOf(rules: SavedRules): Map<string, readonly string[]> {
  const filled = ownChains(rules).filter(([, { texts }]) => texts.length > 0);
  return new Map(filled.map(([name, { texts }]) => [name, texts.map(plain)]));
}

function metaTexts(rules: SavedRules): string[] {
  return (rules.get(META_CHAIN)?.texts ?? []).map(plain);
}

function hooksOf(rules: SavedRules, chain: string): Standing['hooks'] {
  return hooksIn(rules, chain).map(({ target, text }) => ({ chain, target, text: plain(text) }));
}

function differences(family: Family, rules: SavedRules, stood: Standing): string[] {
  const found = chainsOf(rules);
  if (found.size === 0 && metaTexts(rules).length === 0) return [`${FAMILY_NAMES[family]}: our rules are gone`];
  const changed = [...stood.chains].flatMap(([name, texts]) => {
    if (isEqual(found.get(name) ?? [], texts)) return [];
    return [found.has(name) ? `chain ${name} was changed` : `chain ${name} was emptied`];
  });
  // Its name is somebody else's text, and stays out of ours.
  const more = [...found.keys()].some((name) => !stood.chains.has(name))
    ? ['a chain that is not ours begins with EW-']
    : [];
  const told = isEqual(metaTexts(rules), stood.meta) ? [] : [`chain ${META_CHAIN} was changed`];
  const words = [...hookDifferences(rules, stood), ...changed, ...more, ...told];
  return words.map((word) => `${FAMILY_NAMES[family]}: ${word}`);
}

function hookDifferences(rules: SavedRules, { hooks }: Standing): string[] {
  return HOOKED.flatMap((chain) => {
    const [wanted, present] = [hooks.filter((hook) => hook.chain === chain), hooksIn(rules, chain)];
    const gone = wanted.filter(({ target }) => !present.some((hook) => hook.target === target));
    const behind = present.filter(({ at, target }) => wanted[at]?.target !== target);
    return [
      ...gone.map(({ target }) => `the jump to ${target} is gone from ${chain}`),
      ...behind.map(({ target }) => `a rule stands before ${target} in ${chain}`),
    ];
  });
}

function isEqual(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((text, index) => text === others[index]);
}

/** One transaction. Where the kernel refuses it, as for a set that is gone too, the apply that must follow mends everything. */
async function putBack(netfilter: Netfilter, { family, rules, stood }: Found & { stood: Standing }): Promise<void> {
  const found = chainsOf(rules);
  const changed = [...stood.chains].filter(([name, texts]) => !isEqual(found.get(name) ?? [], texts));
  const meta = metaNotAsWritten(stood);
  const hooks = hookDifferences(rules, stood).length === 0 ? [] : hookLines(rules, stood);
  const lines = [
    ...[...changed.map(([name]) => name), META_CHAIN].map((name) => `:${name} - [0:0]`),
    ...changed.flatMap(([name, texts]) => texts.map((text) => `-A ${name} ${text}`)),
    ...meta.map((text) => `-A ${META_CHAIN} ${text}`),
    ...hooks,
  ];
  const done = await netfilter.writeRules(family, lines).then(
    () => true,
    () => false,
  );
  if (done) stood.meta = meta;
}

function metaNotAsWritten({ meta }: Standing): readonly string[] {
  const told = readMeta(new Map([[META_CHAIN, { hashes: [], texts: [...meta], packets: [] }]]));
  return told === null ? meta : [formatMeta({ ...told, digest: NOT_AS_WRITTEN })].flat();
}

function hookLines(rules: SavedRules, { hooks }: Standing): string[] {
  const present = HOOKED.flatMap((chain) => hooksIn(rules, chain).map(({ text }) => `-D ${chain} ${plain(text)}`));
  return [...present, ...[...hooks].reverse().map(({ chain, text }) => `-I ${chain} 1 ${text}`)];
}
