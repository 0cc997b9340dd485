/**
 * How many packets of this host began something, as its kernel counted them: first ones, and those sent again before an
 * answer. They begin at 0 when the rules are made, and wherever somebody else writes them anew. Reads, and writes nothing.
 */
import { countersIn, type DenyCounter } from './deny-counters.ts';
import type { Family } from './layout/host-layout.ts';
import { countingHash, OUTGOING_CHAIN, OUTGOING_PROTOCOLS, type OutgoingProtocol } from './layout/outgoing.ts';
import type { Netfilter, SavedRules } from './netfilter/index.ts';

export interface OutgoingCounter {
  family: Family;
  protocol: OutgoingProtocol;
  packets: number;
}

export interface HostCounters {
  denials: DenyCounter[];
  /** None with mode `off`, and where no policy of ours stands. */
  outgoing: OutgoingCounter[];
}

/** All that is counted, by one program a family. */
export async function hostCounters(netfilter: Netfilter): Promise<HostCounters> {
  const counters: HostCounters = { denials: [], outgoing: [] };
  for (const family of netfilter.families) {
    const rules = await netfilter.rules(family);
    counters.denials.push(...countersIn(family, rules));
    counters.outgoing.push(...outgoingIn(family, rules));
  }
  return counters;
}

function outgoingIn(family: Family, rules: SavedRules): OutgoingCounter[] {
  const { hashes = [], packets = [] } = rules.get(OUTGOING_CHAIN) ?? {};
  return OUTGOING_PROTOCOLS.flatMap((protocol) => {
    const counted = packets[hashes.indexOf(countingHash(protocol))];
    return counted === undefined ? [] : [{ family, protocol, packets: counted }];
  });
}
