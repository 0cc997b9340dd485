/**
 * How a policy lies on a BIG-IP: what the driver writes and the iRules read. Everything stands in the partition
 * `Edgeward`. Sets and request groups are named by their content and never change; the map names those in force, and
 * replacing its records is the switch.
 *
 *     eg_map       string   virtual server → `revision mode protocol sources requests routeDomain flags`
 *                           `edgeward`     → `1 revision policyHash mapHash point`
 *     eg_s_<hash>  ip       CIDR → who that is: `[trusted] (no-port | segment…)`, segment: `protocol low high outcome argument`
 *     eg_r_<hash>  string   key of an outcome `requests` → alternatives: `action rule methods path hosts` each
 *     eg_meta      string   for humans and the next driver: what runs since when, and the sets of earlier revisions
 *
 * `flags` is `-` or a list of `proxies`, `blind` and `r<N>`: groups were repaired in place N times.
 * All values are Tcl lists of words from `A-Za-z0-9._~/%:,*-`, so that data never becomes code.
 */
export const PARTITION = 'Edgeward';
export const MAP = 'eg_map';
export const META = 'eg_meta';
/** Key of the map's own record; virtual servers begin with a slash. */
export const MAP_HEAD = 'edgeward';
export const SOURCES_PREFIX = 'eg_s_';
export const REQUESTS_PREFIX = 'eg_r_';

export interface DataRecord {
  name: string;
  data: string;
}

/** Where a virtual server stands on the box, as far as the layout depends on it. */
export interface Placement {
  /** 0 is the default route domain. */
  routeDomain: number;
  /** False when the layer 4 rule is attached without that of layer 7: nobody would judge requests. */
  judgesRequests: boolean;
}

export interface Layout {
  revision: number;
  policyHash: string;
  /** Of the map's records without its head. */
  mapHash: string;
  /** Sorted by name, the head included: what the switch writes. */
  map: DataRecord[];
  /** Each once, however many objects share it. */
  groups: DataGroup[];
  /** Name of the point, which stands in the map's head: a box has one. */
  point: string;
  /** Objects that are left out, because what they bind names no virtual server of any box. */
  unusable: UnusableObject[];
}

export interface UnusableObject {
  /** In the policy. */
  name: string;
  bind: string;
}

/** An immutable group. Its records are made anew on each call, so that a million of them are never held at once. */
export interface DataGroup {
  /** Without partition. */
  name: string;
  type: 'ip' | 'string';
  /** External: a file on the box, whose SHA-1 the box reports and whose records nobody can read back. */
  storage: 'internal' | 'external';
  size: number;
  /** Of the external form. */
  bytes: number;
  /** Hex SHA-1 of the external form; the name holds its first 20 digits. */
  sha1: string;
  records(): Iterable<DataRecord>;
  /** Lines of the external form, each with its newline. */
  lines(): Iterable<string>;
}
