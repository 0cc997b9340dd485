/**
 * A simulated BIG-IP, or a pair: iControl REST over TLS on loopback, iRules run by tclsh, real connections. What it is
 * faithful to, and by which evidence, stands in fidelity/. It says nothing about the speed of a real one.
 */
import type { Clock, Logger } from '@edgeward/runtime';
import type { TclshCommand } from './tmm/tclsh.ts';

export type { TclshCommand };

export interface SimulatorOptions {
  /** Default `17.1.2`. */
  version?: TmosVersion;
  /** Two are an active/standby pair in a sync-failover group. Default 1. */
  units?: 1 | 2;
  /** Default: `admin`, password `admin`. */
  users?: SimulatedUser[];
  /** Default 2. */
  tmms?: number;
  /** A path, a name on PATH, or a command with its environment. Default: the first `tclsh` on PATH. */
  tclsh?: string | TclshCommand;
  /** tmsh text, as in bigip.conf: loaded at the start, and saved. */
  config?: string;
  /** Without it no virtual server listens and no tclsh is needed. Default true. */
  dataPlane?: boolean;
  /** Whether clients may name their address in a PROXY protocol v1 line, `%rd` included. Default false. */
  preface?: boolean;
  /** Host and port of the first unit's REST; default a free port of 127.0.0.1. */
  listen?: { host: string; port: number };
  /** How long a commanded config-sync, or a task, takes. Default 50 ms. */
  syncDelayMs?: number;
  /** How long a unit that reboots answers each of its two kinds of refusal. Default 100 ms. */
  rebootMs?: number;
  /** Time of tokens, transactions, tasks, config-sync and reboots. Default: the system's. */
  clock?: Clock;
  /** Default: warnings, on stderr. */
  logger?: Logger;
}

export type TmosVersion = '13.1.3' | '17.1.2';

export interface SimulatedUser {
  name: string;
  password: string;
  /** `guest` reads only; `manager` writes in its partitions. */
  role: 'admin' | 'resource-admin' | 'manager' | 'guest';
  /** Default: all. */
  partitions?: string[];
}

export interface Simulator {
  readonly units: SimulatedUnit[];
  /** PEM of the certificate authority of every unit. */
  readonly ca: string;
  /** The standby becomes active. */
  failover(): Promise<void>;
  close(): Promise<void>;
}

export interface SimulatedUnit {
  readonly name: string;
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** Calls answered or cut since the start, in order; `path` with its query. */
  calls(): SimulatedCall[];
  inject(fault: Fault): void;
  /** Comes back with what was saved. */
  reboot(): Promise<void>;
  /** Where a virtual server listens: its own destination when that is in 127.0.0.0/8, else a free port of 127.0.0.1. */
  listener(virtual: string): Promise<{ host: string; port: number }>;
  /** The running configuration as tmsh text. */
  configText(): string;
  /** Lines of /var/log/ltm. */
  log(): string[];
  /** `class` commands that iRules ran since the start, all TMMs. */
  classLookups(): Promise<number>;
}

export interface SimulatedCall {
  method: string;
  path: string;
  status: number;
  /** Bytes of the body that was sent. */
  bytes: number;
}

/** `after` counts matching calls that still go well; a fault is used up once it struck `times` (default 1). */
export interface Fault {
  kind: FaultKind;
  method?: string;
  /** Matches when the path contains it. */
  path?: string;
  after?: number;
  times?: number;
}

/**
 * `reset`: connection reset before the call has any effect. `reset-after`: applied, then reset. `timeout-500`: applied,
 * then the Jetty page. `busy-503`: the active asynchronous task. `restarting-503`: the HTML of a restarting mcpd.
 * `uri-404`: public URI path not registered. `expired-401`: the token is gone. `hang`: applied, never answered.
 * `external-stale`: TMM keeps the old content of an external group until the group itself is written; it needs no call to
 * strike, and lasts until the unit reboots.
 */
export type FaultKind =
  | 'reset'
  | 'reset-after'
  | 'timeout-500'
  | 'busy-503'
  | 'restarting-503'
  | 'uri-404'
  | 'expired-401'
  | 'hang'
  | 'external-stale';
