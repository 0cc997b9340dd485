import { classRequests } from './class-requests.ts';
import type { CompiledObject, PortRange } from './compiled.ts';
import { cutPorts } from './ports.ts';
import { passes, passing } from './request-pattern.ts';

/**
 * What one class of sources of an object may do, and what of it another class may not: ports and requests, whoever the
 * sources are. Two classes are compared once, however many intervals they have.
 */

/** Flows allowed before and lost now, for two classes (-1: no rule names the source). */
export type CompareClasses = (before: number, after: number) => { total: number; lost: number };

export function compareClasses(before: CompiledObject, after: CompiledObject | null): CompareClasses {
  const known: Record<string, { total: number; lost: number }> = Object.create(null);
  const pieces = cutPorts(before.ports, portListsOf(before).concat(after === null ? [] : portListsOf(after)));
  const was = classRequests(before);
  const is = classRequests(after);
  return (one, other) => {
    const key = `${one} ${other}`;
    const memo = known[key];
    if (memo !== undefined) return memo;
    const result = { total: 0, lost: 0 };
    pieces.forEach((port) => {
      const width = port.to - port.from + 1;
      const now = is.at(other, port);
      passing(was.at(one, port)).forEach((request) => {
        result.total += width;
        if (!passes(now, request)) result.lost += width;
      });
    });
    known[key] = result;
    return result;
  };
}

/** Wherever one of these begins or ends, another rule may decide. */
function portListsOf(object: CompiledObject): PortRange[][] {
  return [object.ports].concat(object.rules.map((rule) => rule.ports ?? []));
}
