/**
 * A report on its way in, whichever way it came: that its sender may speak for this point was asked before. What a point
 * refuses, and a record that was rewritten after the point had seen it, are on the record of attempts when they are first told.
 */
import { canonicalJson, type PointReport } from '@edgeward/policy-format';
import type { Actor } from '../record/attempt.ts';
import type { AttemptRecord } from '../record/record.ts';
import type { ReportShelf } from './report-shelf.ts';

/** Throws EDW_ERR_STORE_RECORD. */
export async function hearReport(
  { reports, record }: { reports: ReportShelf; record: AttemptRecord },
  report: PointReport,
  actor: Actor,
): Promise<void> {
  const news = reports.take(report);
  const { nack, witnessed } = report;
  const entry = { actor: actor.name, by: actor.by, target: `point/${report.point}`, outcome: 'failed' } as const;
  if (news.nack && nack !== null)
    await record.append({
      ...entry,
      action: 'point.refuse',
      code: nack.code,
      reason: `${nack.stage}: ${nack.message}`,
      revision: nack.revision,
    });
  if (news.contradiction)
    await record.append({ ...entry, action: 'point.contradict', reason: `witnessed ${canonicalJson(witnessed)}` });
}
