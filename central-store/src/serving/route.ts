/**
 * What a route of the store says of itself: who may ask it, what it asks for and answers. The server, the OpenAPI document
 * and the tests read the same table.
 */
import { ROLES, type Role } from '@edgeward/policy-format';
import type { HttpAnswer, HttpRoute, TlsRequest } from '@edgeward/runtime';
import type { Actor } from '../record/attempt.ts';

export interface StoreRoute extends HttpRoute<TlsRequest> {
  /**
   * `point`: whose certificate names the `:point` of the path. `anyone`: any point or person. `known`: any point, and people
   * with a role. Else people by role.
   */
  who: 'point' | 'anyone' | 'known' | readonly Role[];
  /** Which of its two budgets a request costs. */
  budget: 'requests' | 'blobs';
  /** The word for it on the record. */
  action: string;
  doc: RouteDoc;
}

interface RouteDoc {
  summary: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
  /** Beside those that any route can give. */
  answers: Record<number, string>;
}

export const EVERYBODY: readonly Role[] = ROLES;

/** A handler that knows who asks, of parts that put their own refusals on the record, as a route's handler. */
export type Recorded = (
  handle: (request: TlsRequest, actor: Actor) => Promise<HttpAnswer> | HttpAnswer,
) => StoreRoute['handle'];
