import type { Interval } from './address.ts';
import { formatAddress } from './address.ts';
import { cidrsOf } from './cidr-list.ts';
import type { Group } from './groups.ts';
import { compareKeys, sizeOf, subtract } from './interval.ts';
import type { WorkloadSet } from './label-index.ts';
import { bitsOf } from './label-index.ts';
import type { SourceTerm, Workload } from './model.ts';
import type { Resolution } from './resolve.ts';
import type { Selector } from './selector.ts';
import { formatSelector } from './selector.ts';
import type { TermChange } from './term-change.ts';
import { sameSpans } from './term-change.ts';

/** Who gains or loses, as people wrote it, and who of them: names and addresses of the first few, and how many. */
export interface ChangedSource {
  kind: SourceTerm['kind'] | 'failsafe';
  /** `app=crm,env=prod within 10.30.0.0/16`, `network branch-offices`, `203.0.113.0/24`, `any address`. */
  text: string;
  /** Everybody that the term stands for, or a part of them. */
  whole: boolean;
  /** Null where the term names no workloads, or nobody knows their names. */
  workloads: { count: number; of: number; examples: { name: string; address: string }[] } | null;
  /** Stretches of addresses: how many, and the first as `10.0.0.0/24` or `10.0.0.1-10.0.0.9`. */
  ranges: { count: number; examples: string[] };
  /** The rest of the term, for which nothing changes; null where that is no shorter to say. */
  except: { count: number; examples: string[] } | null;
  /** How many addresses; not exact beyond 2^53. */
  addresses: number;
}

export interface SourceReader {
  describe(change: TermChange, point: string, maxExamples: number): ChangedSource;
}

export function sourceReader(resolution: Resolution): SourceReader {
  let owners: Uint32Array | null = null;
  return {
    describe: (change, point, maxExamples) => {
      const whole = change.group !== null && sameSpans(change.group.intervals, change.spans);
      const group = change.group;
      let workloads: ChangedSource['workloads'] = null;
      if (group !== null && group.members !== null) {
        owners = owners ?? ownersOf(resolution);
        workloads = workloadsIn(resolution, owners, group, change.spans, { whole, maxExamples });
      }
      return {
        kind: change.term === null ? 'failsafe' : change.term.kind,
        text: change.term === null ? `management of ${point}` : termText(change.term),
        whole,
        workloads,
        ranges: listed(change.spans, maxExamples),
        except: group === null || workloads !== null ? null : exceptIn(group, change.spans, maxExamples),
        addresses: sizeOf(change.spans),
      };
    },
  };
}

function listed(spans: Interval[], maxExamples: number): ChangedSource['ranges'] {
  return { count: spans.length, examples: spans.slice(0, maxExamples).map(rangeText) };
}

function exceptIn(group: Group, spans: Interval[], maxExamples: number): ChangedSource['except'] {
  const rest = subtract(group.intervals, spans);
  return rest.length === 0 || rest.length >= spans.length ? null : listed(rest, maxExamples);
}

/** A `from` term as people read it. */
export function termText(term: SourceTerm): string {
  if (term.kind === 'any') return 'any address';
  if (term.kind === 'network') return `network ${term.name}`;
  if (term.kind === 'cidr') return rangeText(term.interval);
  return `${selectorText(term.selector)}${term.within === null ? '' : ` within ${cidrsOf(term.within).join(', ')}`}`;
}

/** `app=crm,env=prod` where it asks for nothing but values; else as it is written. */
function selectorText(selector: Selector): string {
  const only = selector.length === 1 ? selector[0] : undefined;
  const plain = only !== undefined && only.length > 0 && only.every((it) => it.op === 'in' && it.values.length === 1);
  return plain && only !== undefined
    ? only.map((it) => `${it.key}=${it.values[0]}`).join(',')
    : formatSelector(selector);
}

/** A CIDR where it is one, and a single address without its prefix length. */
export function rangeText(interval: Interval): string {
  if (interval.lo === interval.hi) return formatAddress(interval.lo);
  const cidrs = cidrsOf([interval]);
  return cidrs.length === 1 ? (cidrs[0] as string) : `${formatAddress(interval.lo)}-${formatAddress(interval.hi)}`;
}

/** The workload of each place in the order of addresses. */
function ownersOf(resolution: Resolution): Uint32Array {
  const order = resolution.order;
  const owners = new Uint32Array(order.addresses.length);
  for (let i = 0; i + 1 < order.starts.length; i += 1) {
    const end = order.starts[i + 1] as number;
    for (let at = order.starts[i] as number; at < end; at += 1) owners[order.ranks[at] as number] = i;
  }
  return owners;
}

/** Members with an address in these spans, in the order of addresses. */
function workloadsIn(
  resolution: Resolution,
  owners: Uint32Array,
  group: Group,
  spans: Interval[],
  options: { whole: boolean; maxExamples: number },
): ChangedSource['workloads'] {
  const examples: { name: string; address: string }[] = [];
  const addresses = resolution.order.addresses;
  // Whom it names, and who was not told of yet.
  const left = bitsOf(group.members as WorkloadSet, resolution.workloads.length);
  let count = 0;
  for (let s = 0; s < spans.length; s += 1) {
    const span = spans[s] as Interval;
    for (let rank = rankOf(addresses, span.lo); rank < addresses.length; rank += 1) {
      const address = addresses[rank] as string;
      if (compareKeys(address, span.hi) > 0) break;
      const owner = owners[rank] as number;
      const word = owner >> 5;
      const bit = 1 << (owner & 31);
      if (((left[word] as number) & bit) === 0) continue;
      left[word] = (left[word] as number) & ~bit;
      count += 1;
      if (examples.length < options.maxExamples) {
        examples.push({ name: (resolution.workloads[owner] as Workload).name, address: formatAddress(address) });
      }
    }
    // How many there are is known of a whole group.
    if (options.whole && examples.length >= options.maxExamples) break;
  }
  return { count: options.whole ? group.memberCount : count, of: group.memberCount, examples };
}

/** The place of the first address that is not before this one. */
function rankOf(addresses: string[], key: string): number {
  let from = 0;
  let to = addresses.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys(addresses[middle] as string, key) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}
