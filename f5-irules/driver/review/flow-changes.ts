import {
  addSpan,
  compareRequests,
  eachStretch,
  type Interval,
  type Request,
  type RequestChanges,
} from '@edgeward/policy';
import type { DataRecord } from '../layout/index.ts';
import { cidrTexts, spansOf } from './address-spans.ts';
import { EVERY } from './request-records.ts';

/**
 * Which flows one virtual server would let through that it does not now, and the other way round: sources × ports ×
 * requests, by what two groups say. Modes are not looked at: in `observe` and `off` everything passes anyway.
 */
export interface Side {
  /** Of the sources group. */
  records: Iterable<DataRecord>;
  /** Of the request group, by key. */
  requests: ReadonlyMap<string, readonly Request[]>;
  /** Nobody judges requests: what depends on one is denied. */
  blind: boolean;
  /** Peers may be trusted proxies. */
  proxies: boolean;
}

/** Every source with every port and every request of one of these. */
export interface FlowChange {
  /** CIDRs. */
  sources: string[];
  /** `tcp/443`, `tcp/8000-8099` */
  ports: string[];
  requests: Request[];
}

export interface FlowChanges {
  gained: FlowChange[];
  lost: FlowChange[];
  /** Peers whose X-Forwarded-For is believed from now on, or no longer: CIDRs. */
  trusted: { gained: string[]; lost: string[] };
  /** Stretches of addresses that another rule decides, and for which nothing is gained or lost. */
  reworded: number;
}

/** null: there is nothing, and nobody is let through. */
export function compareFlows(before: Side | null, after: Side | null): FlowChanges {
  const gained = collector();
  const lost = collector();
  const trusted = { gained: [] as Interval[], lost: [] as Interval[] };
  const effects = new Map<string, Effect>();
  let reworded = 0;
  eachStretch(spansOf(before?.records ?? []), spansOf(after?.records ?? []), (lo, hi, old, now) => {
    const effect = effectOf(effects, { before: old, after: now }, before, after);
    for (const piece of effect.gained) gained.add(piece, lo, hi);
    for (const piece of effect.lost) lost.add(piece, lo, hi);
    if (effect.trusted !== null) addSpan(trusted[effect.trusted], lo, hi);
    if (effect.reworded) reworded += 1;
  });
  return {
    gained: gained.changes(),
    lost: lost.changes(),
    trusted: { gained: cidrTexts(trusted.gained), lost: cidrTexts(trusted.lost) },
    reworded,
  };
}

interface Piece {
  ports: string[];
  requests: Request[];
}

interface Effect {
  gained: Piece[];
  lost: Piece[];
  trusted: 'gained' | 'lost' | null;
  reworded: boolean;
}

/** What either group says of a stretch of addresses. */
interface Pair {
  before: string | null;
  after: string | null;
}

function collector(): { add(piece: Piece, lo: string, hi: string): void; changes(): FlowChange[] } {
  const found = new Map<string, { piece: Piece; spans: Interval[] }>();
  return {
    add(piece, lo, hi) {
      const key = JSON.stringify(piece);
      const known = found.get(key) ?? { piece, spans: [] };
      found.set(key, known);
      addSpan(known.spans, lo, hi);
    },
    changes: () => [...found.values()].map(({ piece, spans }) => ({ sources: cidrTexts(spans), ...piece })),
  };
}

/** A group has few texts and many addresses. */
function effectOf(known: Map<string, Effect>, pair: Pair, before: Side | null, after: Side | null): Effect {
  const key = `${pair.before ?? '-'}\n${pair.after ?? '-'}`;
  const effect = known.get(key) ?? compareWords(pair, before, after);
  known.set(key, effect);
  return effect;
}

function compareWords(pair: Pair, before: Side | null, after: Side | null): Effect {
  const [old, now] = [readWho(pair.before, before), readWho(pair.after, after)];
  const trusted = old.trusted === now.trusted ? null : now.trusted ? 'gained' : 'lost';
  const changes = compareSegments(old.segments, now.segments);
  const isQuiet = changes.gained.length === 0 && changes.lost.length === 0 && trusted === null;
  return { ...changes, trusted, reworded: isQuiet && pair.before !== pair.after };
}

interface Who {
  trusted: boolean;
  segments: Segment[];
}

interface Segment {
  protocol: string;
  low: number;
  high: number;
  requests: readonly Request[];
}

/** `[trusted] (no-port | protocol low high outcome argument…)` */
function readWho(data: string | null, side: Side | null): Who {
  const words = (data ?? '').split(' ');
  const trusted = words[0] === 'trusted';
  if (trusted) words.shift();
  const segments: Segment[] = [];
  for (let at = 0; at + 4 < words.length; at += 5) {
    const [protocol = '', low, high, outcome, argument = ''] = words.slice(at, at + 5);
    const requests = requestsOf(outcome, argument, side);
    if (requests.length > 0) segments.push({ protocol, low: Number(low), high: Number(high), requests });
  }
  return { trusted: trusted && side?.proxies === true, segments };
}

function requestsOf(outcome: string | undefined, argument: string, side: Side | null): readonly Request[] {
  if (outcome === 'allow') return [EVERY];
  if (outcome !== 'requests' || side?.blind !== false) return [];
  return side.requests.get(argument) ?? [];
}

interface Range {
  protocol: string;
  low: number;
  high: number;
  changes: RequestChanges;
}

function compareSegments(old: readonly Segment[], now: readonly Segment[]): { gained: Piece[]; lost: Piece[] } {
  const ranges: Range[] = [];
  for (const { protocol, low, high } of cutPorts([...old, ...now])) {
    const changes = compareRequests(requestsAt(old, protocol, low), requestsAt(now, protocol, low));
    ranges.push({ protocol, low, high, changes });
  }
  return { gained: piecesOf(ranges, 'gained'), lost: piecesOf(ranges, 'lost') };
}

function requestsAt(segments: readonly Segment[], protocol: string, port: number): readonly Request[] {
  return segments.find((it) => it.protocol === protocol && it.low <= port && port <= it.high)?.requests ?? [];
}

/** Ports, cut wherever a segment begins or ends. */
function cutPorts(segments: readonly Segment[]): { protocol: string; low: number; high: number }[] {
  const protocols = [...new Set(segments.map(({ protocol }) => protocol))].sort();
  return protocols.flatMap((protocol) => {
    const own = segments.filter((it) => it.protocol === protocol);
    const cuts = [...new Set(own.flatMap(({ low, high }) => [low, high + 1]))].sort((a, b) => a - b);
    return cuts.slice(0, -1).map((low, index) => ({ protocol, low, high: (cuts[index + 1] ?? low + 1) - 1 }));
  });
}

/** Ports of the same change together. */
function piecesOf(ranges: readonly Range[], side: keyof RequestChanges): Piece[] {
  const found = new Map<string, { requests: Request[]; ranges: { protocol: string; low: number; high: number }[] }>();
  for (const { protocol, low, high, changes } of ranges) {
    const requests = changes[side];
    if (requests.length === 0) continue;
    const key = JSON.stringify(requests);
    const known = found.get(key) ?? { requests, ranges: [] };
    found.set(key, known);
    const last = known.ranges.at(-1);
    if (last?.protocol === protocol && last.high + 1 === low) last.high = high;
    else known.ranges.push({ protocol, low, high });
  }
  return [...found.values()].map(({ requests, ranges: own }) => ({
    ports: own.map(({ protocol, low, high }) => `${protocol}/${low}${high === low ? '' : `-${high}`}`),
    requests,
  }));
}
