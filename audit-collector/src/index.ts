export { type Collector, type CollectorOptions, createCollector } from './collector.ts';
export type { ListenerStatus, LogStatus, SpoolStatus } from './collector-status.ts';
export {
  type DenyEvent,
  type DenyReason,
  type DenyVerdict,
  denyEventSchema,
  type Labels,
  type SourceLabels,
} from './deny-event.ts';
export type { DenyRecord, UnparsedCause } from './deny-log.ts';
export type { GapCause, HostDenial, HostGap, HostRecord } from './host-record.ts';
export type { EnforcedCount } from './ledger-counters.ts';
export type { DenialQuery, StoredDenial } from './ledger-rows.ts';
export type { Uncovered, UncoveredQuery } from './ledger-uncovered.ts';
export type { FileCursor, LossCause } from './log-cursor.ts';
export type { SyslogListener, SyslogTls } from './syslog-options.ts';
