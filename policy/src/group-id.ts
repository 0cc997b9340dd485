import { parseCidr } from './address.ts';
import { cidrsOf, parseCidrs } from './cidr-list.ts';
import type { Digest } from './compile.ts';
import { formatTerm } from './groups.ts';
import type { SourceTerm } from './model.ts';
import type { RuleGroup } from './point-rules.ts';
import type { Selector } from './selector.ts';
import { formatSelector } from './selector.ts';
import { parseSelector } from './selector-parser.ts';

/**
 * Groups as they are named and written in a rules document. Equal terms have equal names and equal text; a text that
 * is not in that one form is no group's, so that nothing is signed in two spellings.
 */

/** `g.` and the first 16 hex digits of the digest of the normalised term; `max` is no part of it. */
export function groupIdOf(term: SourceTerm, digest: Digest): string {
  return `g.${digest(formatTerm(term)).slice(0, 16)}`;
}

/**
 * The term that a written group stands for; null when a selector or CIDR of it is not written in the normal form, or a fence
 * is none. Whether the list of a fence is the shortest is for who reads whole documents to say.
 */
export function termOfGroup(group: RuleGroup): SourceTerm | null {
  if (group.kind === 'any') return { kind: 'any' };
  if (group.kind === 'network') return { kind: 'network', name: group.name };
  if (group.kind === 'cidr') {
    const interval = parseCidr(group.cidr);
    if (interval === null || interval === 'host-bits' || cidrsOf([interval])[0] !== group.cidr) return null;
    return { kind: 'cidr', interval };
  }
  const selector = parseSelectorText(group.selector);
  const within = group.within === null ? null : parseCidrs(group.within);
  if (selector === null || (group.within !== null && within === null)) return null;
  return { kind: 'workloads', selector, within, max: group.max };
}

/** The selector of a written group; null when the text is none, or not in the normal form. */
export function parseSelectorText(text: string): Selector | null {
  const parsed = parseSelector(text);
  return 'selector' in parsed && formatSelector(parsed.selector) === text ? parsed.selector : null;
}
