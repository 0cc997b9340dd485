/**
 * Takes away everything of ours from a host: hooks and chains of each family in one transaction, then the sets. The only way
 * in which rules of ours disappear. Rules and sets of others are never named; what they hold fast is emptied and told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import { hooksIn, isHeld, isOwnSet } from './host-state.ts';
import type { Netfilter, SavedRules } from './netfilter/index.ts';

export interface Removal {
  /** How many rules, those that hook us in included. */
  rules: number;
  sets: number;
  /** In words: empty chains and sets that rules of others hold fast, and sets that can't be asked for. None judges anything. */
  left: string[];
}

/** A second call finds nothing to do. Throws as `Netfilter` does for rules; cut off anywhere, the next call goes on. */
export async function removeHost(netfilter: Netfilter): Promise<Removal> {
  const removal: Removal = { rules: 0, sets: 0, left: [] };
  for (const family of netfilter.families) {
    const found = await netfilter.rules(family);
    const { lines, rules, held } = removing(found);
    if (lines.length > 0) await netfilter.writeRules(family, lines);
    removal.rules += rules;
    removal.left.push(...held.map((chain) => `chain ${chain}, which a rule of somebody else names`));
  }
  const { sets, left } = await removeSets(netfilter).catch(notAsked);
  return { ...removal, sets, left: [...removal.left, ...left] };
}

function removing(found: SavedRules): { lines: string[]; rules: number; held: string[] } {
  const own = [...found].filter(([name]) => name.startsWith('EW-'));
  const held = own.map(([name]) => name).filter((name) => isHeld(found, name));
  // Whatever a built-in chain holds of ours: by its text, so that no number goes wrong when somebody else writes.
  const hooks = [...found.keys()].flatMap((chain) =>
    chain.startsWith('EW-') ? [] : hooksIn(found, chain).map(({ text }) => `-D ${chain} ${text}`),
  );
  const written = own.filter(([name, { texts }]) => texts.length > 0 || !held.includes(name));
  return {
    lines: [
      ...written.map(([name]) => `:${name} - [0:0]`),
      ...hooks,
      ...written.filter(([name]) => !held.includes(name)).map(([name]) => `-X ${name}`),
    ],
    rules: hooks.length + own.reduce((sum, [, { texts }]) => sum + texts.length, 0),
    held,
  };
}

/** The kernel lets go of a set a while after its last rule went. */
const TRY_AGAIN_MS = [0, 20, 100, 400, 1000];

async function removeSets(netfilter: Netfilter): Promise<{ sets: number; left: string[] }> {
  let sets = 0;
  let left: string[] = [];
  for (const pauseMs of TRY_AGAIN_MS) {
    await sleep(pauseMs);
    const own = (await netfilter.setHeaders()).filter(({ name }) => isOwnSet(name));
    left = own.map(({ name }) => name);
    if (left.length === 0) break;
    for (const { name, references } of own) {
      if (references > 0 || !(await destroyed(netfilter, name))) continue;
      sets += 1;
      left = left.filter((one) => one !== name);
    }
    if (left.length === 0) break;
  }
  return { sets, left: left.map((set) => `set ${set}, which is still in use`) };
}

/** Without rules that name them they judge nothing: the rules are gone, and that is what was asked for. */
function notAsked(thrown: unknown): { sets: number; left: string[] } {
  if (!(thrown instanceof EdgewardError)) throw thrown;
  return { sets: 0, left: [`sets, if there are any (${thrown.message})`] };
}

async function destroyed(netfilter: Netfilter, set: string): Promise<boolean> {
  try {
    await netfilter.writeSets([`destroy ${set}`]);
    return true;
  } catch (thrown) {
    if (thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_POINT_REFUSED') return false;
    throw thrown;
  }
}
