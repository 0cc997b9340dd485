/** One call of iControl REST and what became of it. What a failure left behind decides whether it may be repeated. */
import type { EdgewardError } from '@edgeward/runtime';
import type { Json } from './icontrol.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface Call {
  method: Method;
  /** Below `/mgmt/`. */
  path: string;
  /** With its question mark. */
  search?: string;
  body?: Json | Uint8Array;
  headers?: Record<string, string>;
  /** For logins and tokens: what is said instead of the path. The box's own text is never repeated. */
  secretly?: string;
}

export type Verdict =
  | { state: 'done'; body: Json; bytes: number }
  /** There is no such object. `text` is what the box says. */
  | { state: 'absent'; text: string }
  /** `dead`: the box does not know the token (any more). */
  | { state: 'unauthorized'; dead: boolean }
  | Failed;

export interface Failed {
  state: 'failed';
  error: EdgewardError;
  /**
   * `nothing`: the call had no effect. `busy`: the same, and it may be repeated. `unknown`: a write may have been made.
   * `reset`: the same, because the connection broke.
   */
  effect: 'nothing' | 'busy' | 'unknown' | 'reset';
}

export type Settled = Exclude<Verdict, { state: 'unauthorized' }>;
