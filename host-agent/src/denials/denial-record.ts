/**
 * What goes into the spool: denials that a policy explains, and gaps. A record has its number from the spool, and gets it when
 * it is read. Pure.
 */
import { decide } from '@edgeward/policy';
import type { DenyReason, GapCause, HostDenial, HostGap, HostRecord } from '../../protocol/index.ts';
import type { Gap } from './accounts.ts';
import type { JudgingPolicy } from './kept-policies.ts';
import type { Folded } from './sample-fold.ts';

/** By the first of these policies that denies it. Null where each lets it in: then it is not known why it was denied. */
export function denialRecord(folded: Folded, policies: readonly JudgingPolicy[], port: string): string | null {
  for (const policy of policies) {
    const record = recordUnder(policy, folded, port);
    if (record !== null) return JSON.stringify(record);
  }
  return null;
}

function recordUnder(policy: JudgingPolicy, folded: Folded, port: string): Omit<HostDenial, 'seq'> | null {
  const { sample, count, sourcePort, fromMs, toMs } = folded;
  const flow = { from: sample.source, to: policy.object, port };
  const { verdict, reason, rule, revision } = decide(policy.view, flow);
  if (verdict === 'allow') return null;
  return {
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
