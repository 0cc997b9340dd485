import type { Mode } from './flow.ts';

/**
 * What one point receives. Equal policies give equal bytes, so `hash` says whether anything changed: it covers
 * everything except `revision`.
 */
export interface CompiledPolicy {
  format: 1;
  point: string;
  /** Grows with every published change; 0 where nothing was published (`explain`, `compile`). */
  revision: number;
  /** Hex sha256 over the names and hashes of `objects`; the revision is not part of it. */
  hash: string;
  /** Sorted by name. */
  objects: CompiledObject[];
}

export interface CompiledObject {
  name: string;
  /** Hex sha256 of the JSON of everything else here, keys in this order. */
  hash: string;
  /** What the point calls it: the value of `$edgeward_server` in NGINX, the full path on BIG-IP; the name on a host. */
  bind: string;
  kind: 'virtual-server' | 'workload';
  protocol: 'http' | 'tcp';
  mode: Mode;
  ports: PortRange[];
  /** Interval table of the peers whose X-Forwarded-For is believed, or null. */
  trustedProxies: IntervalTable | null;
  /** Interval table of the sources that may always reach tcp/22, or null. */
  failsafe: IntervalTable | null;
  /** Every rule that names this object and has not ended, sorted by id as ASCII bytes. */
  rules: CompiledRule[];
  /** Each class is the sorted list of indices into `rules` that name its sources. */
  classes: number[][];
  /** Address → index into `classes`. */
  sources: IntervalTable;
}

export interface PortRange {
  protocol: 'tcp' | 'udp';
  from: number;
  to: number;
}

export interface CompiledRule {
  id: string;
  action: 'allow' | 'deny';
  /** null: every port of the object. */
  ports: PortRange[] | null;
  /** Alternatives; null: no condition on the request. */
  http: HttpCondition[] | null;
}

export interface HttpCondition {
  methods?: string[];
  /** Decoded; exact, or a prefix when it ends in `/*`. */
  path?: string;
  hosts?: string[];
}

/**
 * Disjoint address intervals, each with a small number, packed into short strings that can be searched without
 * parsing and copied cheaply: NGINX keeps them in a shared dictionary, one value a key. The layout is described in
 * `interval-table`.
 */
export type IntervalTable = Record<string, string>;
