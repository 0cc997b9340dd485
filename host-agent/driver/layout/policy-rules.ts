import type { PortRange } from '@edgeward/policy';
import type { Family, SetLayout } from './host-layout.ts';
import { memberTexts } from './members.ts';
import { compareOffers, type Offer } from './offers.ts';
import { originalPortMatches, portMatches } from './port-matches.ts';
import { widthOf } from './port-sets.ts';
import { setOf } from './sets.ts';

/**
 * What a policy allows as rules and sets. One set of source and port takes all narrow ports together, because one lookup
 * costs the same for one rule and for thousands; wide ranges, and what would make that set too large, get a set of sources each.
 */
export interface PolicyRules {
  /** Each goes to `allowed` when it matches. */
  rules: string[][];
  sets: SetLayout[];
}

/** Members of the set of source and port. */
const MAX_PAIRS = 262_144;
/** A range of more ports is asked for by a rule. */
const WIDE_PORTS = 32;

interface Prepared extends Offer {
  /** Null: everyone. */
  members: string[] | null;
}

/** For connections to the host itself. */
export function inputRules(offers: readonly Offer[], family: Family, allowed: string): PolicyRules {
  const prepared = prepare(offers);
  const paired = pairable(prepared);
  const pairs = paired.flatMap(({ ports, members }) => pairsOf(members ?? [], ports));
  const pairSet = pairs.length === 0 ? [] : [setOf(family, 'hash:net,port', pairs)];
  const pairRules = pairSet.map(({ name }) => ['-m', 'set', '--match-set', name, 'src,dst', '-g', allowed]);
  const rest = sourceRules(
    prepared.filter((offer) => !paired.includes(offer)),
    family,
    allowed,
    portMatches,
  );
  return { rules: [...pairRules, ...rest.rules], sets: [...pairSet, ...rest.sets] };
}

/** For connections that the host sends on: a set can't ask for a port that was translated, so each offer has its rules. */
export function publishedRules(offers: readonly Offer[], family: Family, allowed: string): PolicyRules {
  return sourceRules(prepare(offers), family, allowed, originalPortMatches);
}

/** Everyone first: no lookup at all. */
function sourceRules(
  offers: readonly Prepared[],
  family: Family,
  allowed: string,
  matchesOf: (ports: readonly PortRange[]) => string[][],
): PolicyRules {
  const sets: SetLayout[] = [];
  const rules = offers
    .toSorted((one, other) => Number(one.members !== null) - Number(other.members !== null))
    .flatMap(({ ports, members }) => {
      const source: string[] = [];
      if (members !== null) {
        const set = setOf(family, 'hash:net', members);
        sets.push(set);
        source.push('-m', 'set', '--match-set', set.name, 'src');
      }
      return matchesOf(ports).map((match) => [...match, ...source, '-g', allowed]);
    });
  return { rules, sets };
}

function prepare(offers: readonly Offer[]): Prepared[] {
  return offers.toSorted(compareOffers).map((offer) => ({ ...offer, members: memberTexts(offer.sources) }));
}

/** Those of narrow ports, the smallest first, for as long as there is room. */
function pairable(offers: readonly Prepared[]): Prepared[] {
  const narrow = offers.filter(
    ({ ports, members }) => members !== null && ports.every((range) => widthOf(range) <= WIDE_PORTS),
  );
  let room = MAX_PAIRS;
  return narrow
    .toSorted((one, other) => costOf(one) - costOf(other))
    .filter((offer) => {
      room -= costOf(offer);
      return room >= 0;
    });
}

function costOf({ ports, members }: Prepared): number {
  return ports.reduce((total, range) => total + widthOf(range), 0) * (members?.length ?? 0);
}

function pairsOf(members: readonly string[], ports: readonly PortRange[]): string[] {
  return ports.flatMap(({ protocol, from, to }) =>
    Array.from({ length: to - from + 1 }, (_, index) => `,${protocol}:${from + index}`).flatMap((port) =>
      members.map((member) => `${member}${port}`),
    ),
  );
}
