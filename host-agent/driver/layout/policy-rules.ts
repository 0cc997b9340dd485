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
interface PolicyRules {
  /** Each goes to the chain of what is allowed when it matches. */
  rulesTo(allowed: string): string[][];
  sets: SetLayout[];
}

/** For connections to the host itself, and for those that it sends on; null where nobody asks for these. */
export interface HookRules {
  input: PolicyRules;
  published: PolicyRules | null;
}

/** Members of the set of source and port. */
const MAX_PAIRS = 262_144;
/** A range of more ports is asked for by a rule. */
const WIDE_PORTS = 32;
/** Where forwarding needs a set of these sources anyway, as many share it rather than stand in pairs as well. */
const SHARED_MEMBERS = 4096;
/** Each costs new connections a lookup. */
const MAX_SHARED = 8;

interface Prepared extends Offer {
  /** Null: everyone. */
  members: string[] | null;
}

export function hookRules(offers: readonly Offer[], family: Family, publishedPorts: boolean): HookRules {
  const known = new Map<Prepared, SetLayout>();
  // Hashing and sorting what is large costs most of a layout: once for both hooks.
  const sourceSet = (offer: Prepared, members: readonly string[]): SetLayout => {
    const set = known.get(offer) ?? setOf(family, 'hash:net', members);
    known.set(offer, set);
    return set;
  };
  const prepared = offers.toSorted(compareOffers).map((offer) => ({ ...offer, members: memberTexts(offer.sources) }));
  const shared = publishedPorts ? largest(prepared) : [];
  const input = inputRules(prepared, shared, family, sourceSet);
  // A set can't ask for a port that was translated, so each offer has its rules.
  const published = publishedPorts ? sourceRules(prepared, sourceSet, originalPortMatches) : null;
  return { input, published };
}

type SourceSet = (offer: Prepared, members: readonly string[]) => SetLayout;

function largest(offers: readonly Prepared[]): Prepared[] {
  return offers
    .filter(({ members }) => members !== null && members.length >= SHARED_MEMBERS)
    .toSorted((one, other) => costOf(other) - costOf(one))
    .slice(0, MAX_SHARED);
}

function inputRules(
  prepared: readonly Prepared[],
  shared: readonly Prepared[],
  family: Family,
  sourceSet: SourceSet,
): PolicyRules {
  const paired = pairable(prepared.filter((offer) => !shared.includes(offer)));
  const pairs = paired.flatMap(({ ports, members }) => pairsOf(members ?? [], ports));
  const pairSet = pairs.length === 0 ? [] : [setOf(family, 'hash:net,port', pairs)];
  const rest = sourceRules(
    prepared.filter((offer) => !paired.includes(offer)),
    sourceSet,
    portMatches,
  );
  return {
    rulesTo: (allowed) => [
      ...pairSet.map(({ name }) => ['-m', 'set', '--match-set', name, 'src,dst', '-g', allowed]),
      ...rest.rulesTo(allowed),
    ],
    sets: [...pairSet, ...rest.sets],
  };
}

/** Everyone first: no lookup at all. */
function sourceRules(
  offers: readonly Prepared[],
  sourceSet: SourceSet,
  matchesOf: (ports: readonly PortRange[]) => string[][],
): PolicyRules {
  const sets: SetLayout[] = [];
  const matches = offers
    .toSorted((one, other) => Number(one.members !== null) - Number(other.members !== null))
    .flatMap((offer) => {
      const source: string[] = [];
      if (offer.members !== null) {
        const set = sourceSet(offer, offer.members);
        sets.push(set);
        source.push('-m', 'set', '--match-set', set.name, 'src');
      }
      return matchesOf(offer.ports).map((match) => [...match, ...source]);
    });
  return { rulesTo: (allowed) => matches.map((match) => [...match, '-g', allowed]), sets };
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
