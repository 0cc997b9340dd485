import { sha256Hex } from '@edgeward/runtime';
import type { ChainLayout, RuleLayout } from './host-layout.ts';

/** Rules and chains. A quote or a line's end in an argument would become a rule of its own, so none is ever let through. */

const PLAIN = /^[A-Za-z0-9:|_.,/-]+$/;
const MAX_CHAIN_CHARS = 28;

export function ruleOf(args: string[]): RuleLayout {
  // Arguments are made of numbers, hashes and our own words: whatever else stands in one is a fault of this program.
  for (const arg of args) if (!PLAIN.test(arg)) throw new Error(`no plain argument of a rule: ${JSON.stringify(arg)}`);
  return { args, hash: sha256Hex(args.join('\n')).slice(0, 12) };
}

export function chainOf(name: string, rules: readonly string[][]): ChainLayout {
  if (name.length > MAX_CHAIN_CHARS || !PLAIN.test(name))
    throw new Error(`no name of a chain: ${JSON.stringify(name)}`);
  return { name, rules: rules.map(ruleOf) };
}
