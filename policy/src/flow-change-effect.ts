import type { ClassRequests } from './class-requests.ts';
import { classRequests } from './class-requests.ts';
import type { CompiledObject, CompiledRule, PortRange } from './compiled.ts';
import { cutPorts, normalisePorts } from './ports.ts';
import type { Request } from './request-pattern.ts';
import { compareRequests, covers } from './request-pattern.ts';

/**
 * What sources gain and lose that one object's classes put here before and there after: ports and requests, and which
 * rules give or take them. Two classes are compared once, however many addresses they have. Modes are not looked at.
 */
export interface FlowUnit {
  direction: 'gained' | 'lost';
  request: Request;
  ports: PortRange[];
  /** The side whose rules say so: what allows it stands after, or stood before; a denial the other way round. */
  side: 'before' | 'after';
  /** Ids, sorted; empty where it is the failsafe of the point. */
  rules: string[];
}

/** Where a source stands on one side. */
export interface Standing {
  /** -1: no rule names it. */
  id: number;
  /** In the failsafe: tcp/22 passes whatever the rules say. */
  safe: boolean;
}

export type CompareStandings = (before: Standing, after: Standing) => FlowUnit[];

const SSH: PortRange[] = [{ protocol: 'tcp', from: 22, to: 22 }];
const ALLOW_EVERY: Request = { by: 'allow', method: null, path: null, host: null };

interface ObjectSide {
  object: CompiledObject | null;
  requests: ClassRequests;
}

export function compareStandings(before: CompiledObject | null, after: CompiledObject | null): CompareStandings {
  const old = { object: before, requests: classRequests(before) };
  const now = { object: after, requests: classRequests(after) };
  return (was, is) => {
    const found: FlowUnit[] = [];
    const rules = rulesOf(before, was.id).concat(rulesOf(after, is.id));
    portPieces(before, after, rules, was.safe || is.safe).forEach((port) => {
      const changes = compareRequests(requestsAt(old, was, port), requestsAt(now, is, port));
      changes.gained.forEach((request) => {
        const side = request.by === 'allow' ? 'after' : 'before';
        found.push(unitOf('gained', request, port, side, side === 'after' ? now : old, side === 'after' ? is : was));
      });
      changes.lost.forEach((request) => {
        const side = request.by === 'allow' ? 'before' : 'after';
        found.push(unitOf('lost', request, port, side, side === 'after' ? now : old, side === 'after' ? is : was));
      });
    });
    return joined(found);
  };
}

/** The rules that name a class, each as text: classes of two sides that say the same are equal here. */
export function classText(object: CompiledObject | null, id: number): string {
  return JSON.stringify(rulesOf(object, id));
}

function rulesOf(object: CompiledObject | null, id: number): CompiledRule[] {
  if (object === null || id < 0) return [];
  return (object.classes[id] as number[]).map((index) => object.rules[index] as CompiledRule);
}

function portPieces(
  before: CompiledObject | null,
  after: CompiledObject | null,
  rules: CompiledRule[],
  safe: boolean,
): PortRange[] {
  const lists = [before?.ports ?? [], after?.ports ?? [], safe ? SSH : []];
  const within = normalisePorts((lists[0] as PortRange[]).concat(lists[1] as PortRange[], lists[2] as PortRange[]));
  return cutPorts(within, lists.concat(rules.map((rule) => rule.ports ?? [])));
}

function isSsh(port: PortRange): boolean {
  return port.protocol === 'tcp' && port.from === 22 && port.to === 22;
}

function requestsAt(side: ObjectSide, standing: Standing, port: PortRange): Request[] {
  if (standing.safe && isSsh(port)) return [ALLOW_EVERY];
  return side.requests.at(standing.id, port);
}

function unitOf(
  direction: FlowUnit['direction'],
  request: Request,
  port: PortRange,
  side: FlowUnit['side'],
  from: ObjectSide,
  standing: Standing,
): FlowUnit {
  const safe = standing.safe && isSsh(port);
  const rules = safe ? [] : from.requests.rulesAt(standing.id, port);
  const responsible = rules.filter(
    (rule) => rule.action === request.by && from.requests.requestsOf(rule).some((it) => covers(it, request)),
  );
  return { direction, request, ports: [port], side, rules: responsible.map((rule) => rule.id) };
}

/** Ports of the same change together. */
function joined(units: FlowUnit[]): FlowUnit[] {
  const byKey: Record<string, FlowUnit> = Object.create(null);
  const out: FlowUnit[] = [];
  units.forEach((unit) => {
    const key = JSON.stringify([unit.direction, unit.side, unit.request, unit.rules]);
    const known = byKey[key];
    if (known === undefined) {
      byKey[key] = unit;
      out.push(unit);
    } else known.ports = normalisePorts(known.ports.concat(unit.ports));
  });
  return out;
}
