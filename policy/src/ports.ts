import type { PortRange } from './compiled.ts';

/** One port as a flow names it. */
export interface Port {
  protocol: 'tcp' | 'udp';
  number: number;
}

/** `tcp/443`; null when it is no port. Without a pattern where it can be: this is done for every request. */
export function parsePort(text: string): Port | null {
  const protocol = text.slice(0, 4);
  const digits = text.slice(4);
  const number = Number(digits);
  // A number that is written as it is read back has no sign, space, zero or power before or behind it.
  const isPlain = String(number) === digits && number >= 1 && number <= 65535 && Math.floor(number) === number;
  if (isPlain && protocol === 'tcp/') return { protocol: 'tcp', number };
  if (isPlain && protocol === 'udp/') return { protocol: 'udp', number };
  const range = parsePortRange(text);
  return range !== null && range !== 'upside-down' && range.from === range.to
    ? { protocol: range.protocol, number: range.from }
    : null;
}

/** `tcp/443` or `tcp/8000-8099`. */
export function parsePortRange(text: string): PortRange | 'upside-down' | null {
  const match = /^(tcp|udp)\/([1-9][0-9]{0,4})(-([1-9][0-9]{0,4}))?$/.exec(text);
  if (match === null) return null;
  const from = Number(match[2]);
  const to = match[4] === undefined ? from : Number(match[4]);
  if (from > 65535 || to > 65535) return null;
  return from > to ? 'upside-down' : { protocol: match[1] as 'tcp' | 'udp', from, to };
}

export function formatPortRange(range: PortRange): string {
  return `${range.protocol}/${range.from}${range.from === range.to ? '' : `-${range.to}`}`;
}

/** Of a port as a flow names it; what is no port is in no list. */
export function listsPort(ranges: PortRange[], text: string): boolean {
  const port = parsePort(text);
  return port !== null && includesPort(ranges, port);
}

export function includesPort(ranges: PortRange[], port: Port): boolean {
  for (let i = 0; i < ranges.length; i += 1) {
    const range = ranges[i] as PortRange;
    if (range.protocol === port.protocol && range.from <= port.number && port.number <= range.to) return true;
  }
  return false;
}

/** Sorted, with overlapping and neighbouring ranges joined. */
export function normalisePorts(ranges: PortRange[]): PortRange[] {
  const sorted = ranges.slice().sort(comparePorts);
  const out: PortRange[] = [];
  for (let i = 0; i < sorted.length; i += 1) {
    const next = sorted[i] as PortRange;
    const last = out[out.length - 1];
    if (last !== undefined && last.protocol === next.protocol && next.from <= last.to + 1) {
      last.to = Math.max(last.to, next.to);
    } else {
      out.push({ protocol: next.protocol, from: next.from, to: next.to });
    }
  }
  return out;
}

/** The ports that both sets hold. */
export function intersectPorts(a: PortRange[], b: PortRange[]): PortRange[] {
  const out: PortRange[] = [];
  for (let i = 0; i < a.length; i += 1) {
    for (let j = 0; j < b.length; j += 1) {
      const one = a[i] as PortRange;
      const other = b[j] as PortRange;
      const from = Math.max(one.from, other.from);
      const to = Math.min(one.to, other.to);
      if (one.protocol === other.protocol && from <= to) out.push({ protocol: one.protocol, from, to });
    }
  }
  return normalisePorts(out);
}

/** The ports of `within`, cut wherever a range of `lists` begins or ends; `within` is normalised. */
export function cutPorts(within: PortRange[], lists: PortRange[][]): PortRange[] {
  const cuts: Record<string, Record<number, true>> = { tcp: {}, udp: {} };
  lists.forEach((ranges) => {
    ranges.forEach((it) => {
      const own = cuts[it.protocol] as Record<number, true>;
      own[it.from] = true;
      own[it.to + 1] = true;
    });
  });
  const out: PortRange[] = [];
  within.forEach((range) => {
    const inside = Object.keys(cuts[range.protocol] as Record<number, true>).map(Number);
    const starts = [range.from].concat(inside.filter((at) => at > range.from && at <= range.to));
    starts.sort((a, b) => a - b);
    starts.forEach((from, i) => {
      const next = starts[i + 1];
      out.push({ protocol: range.protocol, from, to: next === undefined ? range.to : next - 1 });
    });
  });
  return out;
}

export const EVERY_PORT: PortRange[] = [
  { protocol: 'tcp', from: 1, to: 65535 },
  { protocol: 'udp', from: 1, to: 65535 },
];

function comparePorts(a: PortRange, b: PortRange): number {
  if (a.protocol !== b.protocol) return a.protocol < b.protocol ? -1 : 1;
  return a.from - b.from || a.to - b.to;
}
