/** What a collector on its own says of itself: who sends, where its events go as well, and why not. */
import type { SenderStatus, SinkStatus, StatusError } from '@edgeward/audit-collector';
import type { HttpRoute } from '@edgeward/runtime';

export interface CollectorStatus {
  version: string;
  startedAtMs: number;
  nowMs: number;
  /** Why the ledger does not do what is asked of it, or null. */
  ledgerError: StatusError | null;
  senders: SenderStatus[];
  sinks: SinkStatus[];
}

export function statusRoute(token: string, status: () => CollectorStatus): HttpRoute {
  return { method: 'GET', path: '/v1/collector', token, handle: () => ({ json: status() }) };
}
