/**
 * What goes into the spool: denials that a policy explains, and gaps. A record has its number from the spool, and gets it when
 * it is read. Pure.
 */
import type { DenyReason, GapCause, HostDenial, HostGap, HostRecord } from '../../protocol/index.ts';
import type { Gap } from './accounts.ts';
import { type JudgingPolicy, judge } from './kept-policies.ts';
import type { Folded } from './sample-fold.ts';

/** Null where the policy lets it in: then it is not known why it was denied. */
export function denialRecord(folded: Folded, policy: JudgingPolicy, port: string): string | null {
  const { sample, count, sourcePort, fromMs, toMs } = folded;
  const { verdict, reason, rule, revision } = judge(policy, sample.source, port);
  if (verdict === 'allow') return null;
  const record: Omit<HostDenial, 'seq'> = {
    kind: 'denial',
    windowStart: new Date(fromMs).toISOString(),
    windowEnd: new Date(toMs).toISOString(),
    count,
    object: policy.object,
    source: sample.source,
    sourcePort,
    port,
    verdict: policy.enforces ? 'deny' : 'would-deny',
    // A verdict of deny has no other.
    reason: reason as DenyReason,
    rule,
    revision,
    // A host knows no labels: the service finds these.
    nearestRule: null,
    missed: null,
  };
  return JSON.stringify(record);
}

export function gapRecord(gap: Gap): string {
  const record: Omit<HostGap, 'seq'> = {
    kind: 'gap',
    windowStart: new Date(gap.fromMs).toISOString(),
    windowEnd: new Date(Math.max(gap.fromMs, gap.toMs)).toISOString(),
    cause: gap.cause,
    count: gap.count,
  };
  return JSON.stringify(record);
}

export function spoolGapRecord({ count, fromMs, toMs }: { count: number; fromMs: number; toMs: number }): string {
  const cause: GapCause = 'spool-full';
  return gapRecord({ cause, count, fromMs, toMs });
}

/** Written by the functions above, and whole: a spool gives nothing else. */
export function numbered(seq: number, record: string): HostRecord {
  return { seq, ...(JSON.parse(record) as Omit<HostDenial, 'seq'>) };
}
