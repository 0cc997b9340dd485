/**
 * What `iptables-save -c -t filter` prints, read as far as it is ours to compare: which chains there are, and in each the hashes
 * of our rules in order. A rule without a hash of ours is null, whatever it says. What was counted is kept apart: no rule is
 * another one because packets came by. Pure.
 */
export interface SavedChain {
  /** The 12 hex of each rule's comment `ew:…`; null for a rule of somebody else. */
  hashes: (string | null)[];
  /** Each rule after `-A CHAIN `, as printed. */
  texts: string[];
  /** What each rule has counted since it was written. */
  packets: number[];
}

/** By name, built-in chains among them. */
export type SavedRules = Map<string, SavedChain>;

const CHAIN = /^:(\S+) /;
const RULE = /^(?:\[(\d+):\d+\] )?-A (\S+) (.*)$/;
const HASH = /-m comment --comment "?ew:([0-9a-f]{12})"?(?= |$)/;

export function parseSavedRules(text: string): SavedRules {
  const chains: SavedRules = new Map();
  for (const line of text.split('\n')) {
    const declared = CHAIN.exec(line)?.[1];
    if (declared !== undefined) chains.set(declared, { hashes: [], texts: [], packets: [] });
    const [, packets = '0', name = '', rule = ''] = RULE.exec(line) ?? [];
    const chain = chains.get(name);
    chain?.hashes.push(HASH.exec(rule)?.[1] ?? null);
    chain?.texts.push(rule);
    chain?.packets.push(Number(packets));
  }
  return chains;
}
