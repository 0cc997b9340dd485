/** The records of a spool by what they are. */
import type { Loss, Unparsed } from '@edgeward/deny-log';
import type { DenyEvent } from '../deny-event.ts';
import type { HostGap } from '../host-record.ts';
import type { SpoolRecord } from './ledger.ts';

export interface RecordsByKind {
  events: DenyEvent[];
  gaps: HostGap[];
  unparsed: Unparsed[];
  losses: Loss[];
}

/** Each kind in its order. */
export function byKind(records: readonly SpoolRecord[]): RecordsByKind {
  const told: RecordsByKind = { events: [], gaps: [], unparsed: [], losses: [] };
  for (const record of records) {
    if ('event' in record) told.events.push(record.event);
    else if ('gap' in record) told.gaps.push(record.gap);
    else if ('unparsed' in record) told.unparsed.push(record.unparsed);
    else told.losses.push(record.loss);
  }
  return told;
}
