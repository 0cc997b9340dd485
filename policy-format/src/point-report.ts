import type { Checkpoint } from './head.ts';

/** What the service at a point tells its store, about once a minute and whenever something changed. */
export interface PointReport {
  typ: 'edgeward-report/1';
  point: string;
  at: string;
  /** The service that speaks, of several beside one another. */
  service: string;
  epoch: number;
  /** Of the newest head that was taken over here; 0 before the first. */
  revision: number;
  /** That the point itself holds; null before the first, and where it can not be reached. */
  applied: number | null;
  state: 'current' | 'applying' | 'behind' | 'unreachable' | 'no-policy';
  /** Why the newest head was not taken over, or not applied. */
  nack: Nack | null;
  /** The checkpoint of the greatest size that a head ever carried here, and whether another one contradicted it. */
  witnessed: Checkpoint | null;
  contradicted: boolean;
  /** Denials enforced since the service started, and when that was: a rate for who rolls out. */
  denials: { total: number; sinceMs: number };
}

export interface Nack {
  revision: number;
  stage: NackStage;
  code: string;
  message: string;
}

/** In this order. */
export type NackStage =
  | 'fetch'
  | 'head'
  | 'root'
  | 'approval'
  | 'rules'
  | 'members'
  | 'fence'
  | 'state'
  | 'compile'
  | 'apply';
