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

const QUOTED = /"(?:[^"\\]|\\.)*"/g;
/** What every version prints as it was written. */
const VALUED: ReadonlySet<string> = new Set([
  ...['-j', '-g', '--match-set', '--sport', '--dport', '--sports', '--dports', '--ctorigdstport'],
  ...['--ctstate', '--ctdir', '--mark', '--set-xmark'],
]);
/** An address may be printed in another way than it was written. */
const NARROWING: ReadonlySet<string> = new Set(['-s', '-d', '-i', '-o', '-f', '!']);
/** Said of itself, or printed because of the protocol. */
const UNSAID: ReadonlySet<string> = new Set(['comment', 'tcp', 'udp', 'icmp', 'icmp6']);

/**
 * What a rule does and with what, whatever its comments say: `-j DROP`, `-m set`, `--match-set ew4n-… src`. That there is an
 * address, an interface or a `!` is told, and which matches; of values those that are printed as they are written.
 */
export function effectOf(rule: string): string {
  const words = rule.replaceAll(QUOTED, '""').split(' ');
  const said = words.flatMap((word, at) => {
    const value = words[at + 1] ?? '';
    if (NARROWING.has(word)) return [word];
    if (word === '-m') return UNSAID.has(value) ? [] : [`-m ${value}`];
    if (word === '-p') return [`-p ${value === 'tcp' || value === 'udp' ? value : 'another'}`];
    if (!VALUED.has(word) || value === EVERY_PORT) return [];
    return [`${word} ${word === '--match-set' ? `${value} ${words[at + 2] ?? ''}` : value.replace(WHOLE_MASK, '')}`];
  });
  return said.sort().join(' ');
}

const EVERY_PORT = '0:65535';
const WHOLE_MASK = /\/0xffffffff$/;

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
