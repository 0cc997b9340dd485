import type { Interval } from './address.ts';
import type { FlowUnit } from './flow-change-effect.ts';
import type { Group } from './groups.ts';
import { union } from './interval.ts';
import type { SourceTerm } from './model.ts';
import type { Request } from './request-pattern.ts';

/**
 * What an object gains or loses by one term of its rules, and how parts of the same are put together: for people, each
 * change is told once, with all its addresses, requests and ports.
 */
export interface TermChange {
  direction: FlowUnit['direction'];
  /** The side whose rules say so. */
  side: FlowUnit['side'];
  /**
   * `rule`: it came, went or reads otherwise. `members`: the rule stands as it was, and who its term stands for moved.
   * `object`: neither, but the object's own ports or protocol. `failsafe`: the management of the point.
   */
  cause: 'rule' | 'members' | 'object' | 'failsafe';
  /** Null: the failsafe of the point. */
  term: SourceTerm | null;
  group: Group | null;
  /** Ids of the rules with this term. */
  rules: string[];
  ports: string[];
  /** All of one `by`. */
  requests: Request[];
  /** Sorted, disjoint: the addresses of the term that it happens to. */
  spans: Interval[];
}

/** Parts that differ in nothing but their addresses, then in requests, then in ports, become one. */
export function joinedChanges(parts: TermChange[]): TermChange[] {
  const found: Record<string, TermChange> = Object.create(null);
  const keys: string[] = [];
  parts.forEach((part) => {
    const key = keyOf(part);
    const known = found[key];
    if (known === undefined) {
      found[key] = part;
      keys.push(key);
    } else known.spans = known.spans.concat(part.spans);
  });
  const changes = keys.map((key) => {
    const change = found[key] as TermChange;
    change.spans = union(change.spans);
    return change;
  });
  return merge(merge(changes, joinRequests), joinPorts);
}

function keyOf(it: TermChange): string {
  return JSON.stringify([headOf(it), it.ports, it.requests]);
}

function headOf(it: TermChange): unknown[] {
  const by = (it.requests[0] as Request).by;
  return [it.direction, it.side, by, it.cause, it.group === null ? null : it.group.term, it.rules];
}

/** Changes that differ in nothing but what `join` puts together become one. */
function merge(changes: TermChange[], join: Join): TermChange[] {
  const byKey: Record<string, TermChange[]> = Object.create(null);
  const out: TermChange[] = [];
  changes.forEach((it) => {
    const key = JSON.stringify([headOf(it), join.key(it), it.spans.length, it.spans[0]]);
    const alike = byKey[key];
    const same = alike?.filter((other) => sameSpans(other.spans, it.spans))[0];
    if (same !== undefined) join.add(same, it);
    else {
      if (alike === undefined) byKey[key] = [it];
      else alike.push(it);
      out.push(it);
    }
  });
  return out;
}

interface Join {
  key(it: TermChange): unknown;
  add(into: TermChange, more: TermChange): void;
}

const joinRequests: Join = {
  key: (it) => it.ports,
  add: (into, more) => {
    into.requests = into.requests.concat(more.requests);
  },
};

const joinPorts: Join = {
  key: (it) => it.requests,
  add: (into, more) => {
    into.ports = into.ports.concat(more.ports);
  },
};

export function sameSpans(one: Interval[], other: Interval[]): boolean {
  return (
    one.length === other.length &&
    one.every((it, i) => it.lo === (other[i] as Interval).lo && it.hi === (other[i] as Interval).hi)
  );
}
