import type { CompiledObject, PortRange } from '@edgeward/policy';

/** The ports of an object in stretches in which no rule begins or ends, and how NGINX's maps name a stretch. */
export interface Stretch {
  protocol: PortRange['protocol'];
  from: number;
  to: number;
}

/** More ports of one stretch are named by patterns, which are tried one after the other. */
const MOST_SINGLE_PORTS = 64;

export function stretchesOf({ ports, rules }: CompiledObject, protocol: PortRange['protocol']): Stretch[] {
  const isOurs = (it: PortRange): boolean => it.protocol === protocol;
  const cuts = new Set<number>();
  for (const { from, to } of rules.flatMap((rule) => rule.ports ?? []).filter(isOurs)) cuts.add(from).add(to + 1);
  return ports.filter(isOurs).flatMap(({ from, to }) => {
    const starts = [from, ...[...cuts].filter((at) => at > from && at <= to).sort((a, b) => a - b)];
    return starts.map((start, i) => ({ protocol, from: start, to: (starts[i + 1] ?? to + 1) - 1 }));
  });
}

/** `443` and `udp/53`: by themselves, or in one pattern for all that are too many. */
export function portNames(stretches: readonly Stretch[]): { names: string[]; pattern: string | null } {
  const isWide = ({ from, to }: Stretch): boolean => to - from >= MOST_SINGLE_PORTS;
  const named = (it: Stretch, ports: readonly (string | number)[]): string[] =>
    ports.map((port) => (it.protocol === 'udp' ? `udp/${port}` : String(port)));
  const names = stretches
    .filter((it) => !isWide(it))
    .flatMap((it) => named(it, countFrom(it.from, it.to - it.from + 1)));
  const patterns = stretches.filter(isWide).flatMap((it) => named(it, decimalPatterns(it)));
  return { names, pattern: patterns.length === 0 ? null : patterns.join('|') };
}

/** Blocks of ten, a hundred and so on that end in any digits: 8000 to 8099 is `80[0-9][0-9]`. */
function decimalPatterns({ from, to }: Stretch): string[] {
  const out: string[] = [];
  let at = from;
  while (at <= to) {
    let size = 1;
    while (at % (size * 10) === 0 && at + size * 10 - 1 <= to) size *= 10;
    const digits = String(size).length - 1;
    out.push(String(at).slice(0, String(at).length - digits) + '[0-9]'.repeat(digits));
    at += size;
  }
  return out;
}

function countFrom(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
