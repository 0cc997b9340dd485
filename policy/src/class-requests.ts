import type { CompiledObject, CompiledRule, PortRange } from './compiled.ts';
import { includesPort } from './ports.ts';
import type { Request } from './request-pattern.ts';
import { patternsOf } from './request-pattern.ts';

/** What one class of sources of an object may ask for on a port: rules whose source and port match, as conditions. */
export interface ClassRequests {
  /** -1: no rule names the source. `port` is a range that every rule holds whole or not at all. */
  at(id: number, port: PortRange): Request[];
  /** The rules of the class on this port. */
  rulesAt(id: number, port: PortRange): CompiledRule[];
  /** What a rule's conditions let through, or deny. */
  requestsOf(rule: CompiledRule): Request[];
}

/** Null: there is no object, and nothing passes. */
export function classRequests(object: CompiledObject | null): ClassRequests {
  const known: Record<string, Request[]> = Object.create(null);
  const requestsOf = (rule: CompiledRule): Request[] => {
    const memo = known[rule.id];
    if (memo !== undefined) return memo;
    const requests = patternsOf(rule.http).map((it) => ({
      by: rule.action,
      method: it.method,
      path: it.path,
      host: it.host,
    }));
    known[rule.id] = requests;
    return requests;
  };
  const rulesAt = (id: number, port: PortRange): CompiledRule[] => {
    const first = { protocol: port.protocol, number: port.from };
    if (object === null || id < 0 || !includesPort(object.ports, first)) return [];
    const rules = (object.classes[id] as number[]).map((index) => object.rules[index] as CompiledRule);
    return rules.filter((rule) => rule.ports === null || includesPort(rule.ports, first));
  };
  return {
    requestsOf,
    rulesAt,
    at: (id, port) => {
      let out: Request[] = [];
      rulesAt(id, port).forEach((rule) => {
        out = out.concat(requestsOf(rule));
      });
      return out;
    },
  };
}
