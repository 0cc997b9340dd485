import type { AddressKey, Interval } from './address.ts';
import type { HttpCondition, PortRange } from './compiled.ts';
import type { SourceDocument } from './finding.ts';
import type { Flow, Mode } from './flow.ts';
import type { Labels, Selector } from './selector.ts';

/** Policy documents after validation: every address is a key, every selector a normal form, every time a number. */
export interface Workload {
  kind: 'Workload';
  name: string;
  labels: Labels;
  addresses: AddressKey[];
  /** The host agent that protects it, or null. */
  point: string | null;
  /** null: every TCP and UDP port. */
  ports: PortRange[] | null;
  mode: Mode;
}

export interface PointDocument {
  kind: 'Point';
  name: string;
  management: Interval[];
}

export interface Network {
  kind: 'Network';
  name: string;
  cidrs: Interval[];
  except: Interval[];
  expiresMs: number | null;
}

export interface Service {
  kind: 'Service';
  name: string;
  ports: PortRange[];
}

export interface VirtualServer {
  kind: 'VirtualServer';
  name: string;
  labels: Labels;
  point: string;
  bind: string;
  ports: PortRange[];
  protocol: 'http' | 'tcp';
  trustedProxies: Interval[];
  mode: Mode;
}

export interface Policy {
  kind: 'Policy';
  name: string;
  rules: Rule[];
  tests: PolicyTest[];
}

export interface Rule {
  id: string;
  from: SourceTerm[];
  to: Selector;
  services: string[];
  /** null: neither `ports` nor `services` was given, so every port of the object. */
  ports: PortRange[] | null;
  http: HttpCondition[] | null;
  action: 'allow' | 'deny';
  untilMs: number | null;
}

export type SourceTerm =
  | { kind: 'workloads'; selector: Selector; within: Interval[] | null; max: number | null }
  | { kind: 'network'; name: string }
  | { kind: 'cidr'; interval: Interval }
  | { kind: 'any' };

export interface PolicyTest {
  flow: Flow;
  expect: 'allow' | 'deny';
}

export type Document = Workload | PointDocument | Network | Service | VirtualServer | Policy;

/** A document and where it was read. */
export interface Placed<T extends Document> {
  value: T;
  document: SourceDocument;
}

/** All documents of one directory, each kind but workloads sorted by name; what refers to what has been checked. */
export interface Model {
  workloads: Placed<Workload>[];
  points: Placed<PointDocument>[];
  networks: Placed<Network>[];
  services: Placed<Service>[];
  virtualServers: Placed<VirtualServer>[];
  policies: Placed<Policy>[];
}

/** What a policy protects: a virtual server, or a workload whose own host enforces. */
export interface ProtectedObject {
  name: string;
  kind: 'virtual-server' | 'workload';
  labels: Labels;
  point: string;
  bind: string;
  ports: PortRange[];
  protocol: 'http' | 'tcp';
  trustedProxies: Interval[];
  /** Who may always reach tcp/22 here: the management of a host's point. */
  failsafe: Interval[];
  mode: Mode;
  document: SourceDocument;
}
