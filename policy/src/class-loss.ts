import type { CompiledObject, CompiledRule, HttpCondition } from './compiled.ts';
import { includesPort } from './ports.ts';
import { pathMatches } from './request.ts';

/**
 * What one class of sources of an object may do, and what of it another class may not: ports and requests, whoever the
 * sources are. Two classes are compared once, however many intervals they have.
 */

/** Flows allowed before and lost now, for two classes (-1: no rule names the source). */
export type CompareClasses = (before: number, after: number) => { total: number; lost: number };

export function compareClasses(before: CompiledObject, after: CompiledObject | null): CompareClasses {
  const known: Record<string, { total: number; lost: number }> = Object.create(null);
  const pieces = portPieces(before, after);
  return (one, other) => {
    const key = `${one} ${other}`;
    const memo = known[key];
    if (memo !== undefined) return memo;
    const result = { total: 0, lost: 0 };
    pieces.forEach((port) => {
      const was = requestsAt(before, one, port);
      const is = after === null ? NOTHING : requestsAt(after, other, port);
      eachRequest(was, (request) => {
        result.total += port.width;
        if (!isAllowed(is, request)) result.lost += port.width;
      });
    });
    known[key] = result;
    return result;
  };
}

interface PortPiece {
  protocol: 'tcp' | 'udp';
  /** The first of them. */
  number: number;
  width: number;
}

/** The ports of the object before, cut where any rule, or the object's own list, begins or ends on either side. */
function portPieces(before: CompiledObject, after: CompiledObject | null): PortPiece[] {
  const edges: { protocol: 'tcp' | 'udp'; at: number }[] = [];
  [before, after].forEach((object) => {
    if (object === null) return;
    [object.ports].concat(object.rules.map((rule) => rule.ports ?? [])).forEach((ranges) => {
      ranges.forEach((it) => {
        edges.push({ protocol: it.protocol, at: it.from }, { protocol: it.protocol, at: it.to + 1 });
      });
    });
  });
  const out: PortPiece[] = [];
  before.ports.forEach((range) => {
    const cuts: Record<number, true> = {};
    cuts[range.from] = true;
    cuts[range.to + 1] = true;
    edges.forEach((edge) => {
      if (edge.protocol === range.protocol && edge.at > range.from && edge.at <= range.to) cuts[edge.at] = true;
    });
    const starts = Object.keys(cuts).map(Number);
    starts.sort((a, b) => a - b);
    for (let i = 1; i < starts.length; i += 1) {
      const number = starts[i - 1] as number;
      out.push({ protocol: range.protocol, number, width: (starts[i] as number) - number });
    }
  });
  return out;
}

/** What a class may ask for on one port: whatever fits an entry of `allowed` and none of `denied`. */
interface Requests {
  allowed: HttpCondition[];
  denied: HttpCondition[];
}

const NOTHING: Requests = { allowed: [], denied: [] };
/** A rule without conditions: every request fits. */
const EVERY_REQUEST: HttpCondition = {};

function requestsAt(object: CompiledObject, id: number, port: PortPiece): Requests {
  if (id < 0 || !includesPort(object.ports, port)) return NOTHING;
  let denied: HttpCondition[] = [];
  let allowed: HttpCondition[] = [];
  (object.classes[id] as number[]).forEach((index) => {
    const rule = object.rules[index] as CompiledRule;
    if (rule.ports !== null && !includesPort(rule.ports, port)) return;
    if (rule.action === 'deny') denied = denied.concat(rule.http ?? [EVERY_REQUEST]);
    else allowed = allowed.concat(rule.http ?? [EVERY_REQUEST]);
  });
  return { allowed, denied };
}

/** Allowed requests, one for each method and host that an entry lists; what a wider entry holds is not told apart. */
function eachRequest(requests: Requests, visit: (request: HttpCondition) => void): void {
  const allowed = requests.allowed;
  allowed.forEach((entry, i) => {
    const isHeld = allowed.some((it, k) => k !== i && covers(it, entry) && (k < i || !covers(entry, it)));
    if (isHeld) return;
    (entry.methods ?? [null]).forEach((method) => {
      (entry.hosts ?? [null]).forEach((host) => {
        const request: HttpCondition = {};
        if (method !== null) request.methods = [method];
        if (host !== null) request.hosts = [host];
        if (entry.path !== undefined) request.path = entry.path;
        if (isAllowed(requests, request)) visit(request);
      });
    });
  });
}

function isAllowed(requests: Requests, request: HttpCondition): boolean {
  const fits = (it: HttpCondition): boolean => covers(it, request);
  return requests.allowed.some(fits) && !requests.denied.some(fits);
}

/** Whether every request that fits `narrow` fits `wide`. */
function covers(wide: HttpCondition, narrow: HttpCondition): boolean {
  return (
    includesAll(wide.methods, narrow.methods) &&
    includesAll(wide.hosts, narrow.hosts) &&
    coversPath(wide.path, narrow.path)
  );
}

function includesAll(wide: string[] | undefined, narrow: string[] | undefined): boolean {
  if (wide === undefined) return true;
  return narrow !== undefined && narrow.every((it) => wide.indexOf(it) >= 0);
}

function coversPath(wide: string | undefined, narrow: string | undefined): boolean {
  // Every path begins with a slash.
  if (wide === undefined || wide === '/*') return true;
  if (narrow === undefined) return false;
  if (wide === narrow) return true;
  return narrow.slice(-2) === '/*'
    ? wide.slice(-2) === '/*' && pathMatches(wide, narrow.slice(0, -2))
    : pathMatches(wide, narrow);
}
