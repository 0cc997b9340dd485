export type { DenyReason, DenyRecord, DenyVerdict, FileCursor, LossCause, UnparsedCause } from '@edgeward/deny-log';
export { type DenialApi, denialRoutes, denialStatuses } from './api/denial-routes.ts';
export type { Explain } from './api/why-answer.ts';
export { batchText } from './batches/batch-body.ts';
export { type BatchGate, type BatchGateOptions, createBatchGate } from './batches/batch-gate.ts';
export { type BatchListener, type BatchListenerOptions, openBatchListener } from './batches/batch-listener.ts';
export type { SenderStatus } from './batches/sender-book.ts';
export { type Collector, type CollectorOptions, createCollector } from './collector.ts';
export type { ListenerStatus, LogStatus, SpoolStatus, StatusError } from './collector-status.ts';
export type { DenialAccount, PointTold } from './denial-accounts.ts';
export {
  type DenyEvent,
  denyEventSchema,
  type Labels,
  type SourceLabels,
} from './deny-event.ts';
export type { GapCause, HostDenial, HostGap, HostRecord } from './host-record.ts';
export type { DenialQuery, EnforcedCount, StoredDenial, Uncovered, UncoveredQuery } from './ledger/ledger.ts';
export { type LedgerPlace, ledgerPlace, type PostgresInput, postgresSchema } from './ledger/open-ledger.ts';
export type { DenialPage, DenialSearch, LabelSought } from './ledger/search.ts';
export type { SinkStatus } from './sinks/sink-runner.ts';
export { openSinks, type Sinks } from './sinks/sinks.ts';
export { NO_SINKS, type SinksConfig, type SinksInput, sinksSchema, sinksWithPaths } from './sinks/sinks-schema.ts';
export type { SyslogListener, SyslogTls } from './syslog-options.ts';
