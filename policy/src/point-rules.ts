import type { HttpCondition } from './compiled.ts';
import type { Mode } from './flow.ts';
import type { Labels } from './selector.ts';

/**
 * What people decided for one point, before anybody knows who is where: its objects, the rules that name them, and the
 * groups that those rules name. It depends on policy alone, never on the inventory and never on the time, so that each
 * approver's machine makes the same bytes of it. Text forms are those of the policy language; every list is sorted.
 */
export interface PointRules {
  format: 1;
  point: string;
  /** By name. */
  objects: RuleObject[];
  /** By id. Every one that a rule names, and no other. */
  groups: RuleGroup[];
  /** By id. Every one that names an object here, also when its `until` has passed. */
  rules: PointRule[];
}

export interface RuleObject {
  name: string;
  kind: 'virtual-server' | 'workload';
  labels: Labels;
  bind: string;
  protocol: 'http' | 'tcp';
  mode: Mode;
  /** `tcp/443`, `udp/8000-8099`; normalised. */
  ports: string[];
  /** CIDRs. */
  trustedProxies: string[];
  /** CIDRs that may always reach tcp/22. */
  failsafe: string[];
}

/** `id` is `g.` and the first 16 hex digits of the sha256 of the normalised term. */
export type RuleGroup =
  /** The only kind with members; `within` is its fence (null: none), `max` the least that a rule sets. */
  | { id: string; kind: 'workloads'; selector: string; within: string[] | null; max: number | null }
  | { id: string; kind: 'network'; name: string; cidrs: string[]; except: string[]; expires: string | null }
  | { id: string; kind: 'cidr'; cidr: string }
  | { id: string; kind: 'any' };

export interface PointRule {
  id: string;
  action: 'allow' | 'deny';
  /** Ids of groups. */
  from: string[];
  /** Names of objects. */
  to: string[];
  /** Ports and services joined; null: every port of the object. */
  ports: string[] | null;
  http: HttpCondition[] | null;
  /** RFC 3339 in UTC with milliseconds, as `Date.toISOString` writes it. */
  until: string | null;
}

/** Members of the `workloads` groups by id: single addresses in canonical text, in any order, none twice. */
export type GroupMembers = (group: string) => readonly string[];
