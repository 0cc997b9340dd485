/** What a report says, from what the parts say. Pure; within the bounds of the protocol. */
import type { HostReport } from '../protocol/index.ts';
import type { DenialCounters, GuardStatus } from './parts.ts';

export interface Reported {
  version: string;
  backend: HostReport['backend'];
  startedAtMs: number;
  nowMs: number;
  stands: Pick<HostReport, 'applied' | 'state' | 'mode' | 'rules' | 'nack' | 'approvals'>;
  guard: GuardStatus;
  denials: DenialCounters;
  outgoing: NonNullable<HostReport['outgoing']>;
  certificateEnds: string;
  warnings: readonly string[];
}

export function reportOf(from: Reported): HostReport {
  const { stands, guard } = from;
  const { last, count } = guard.repairs;
  return {
    v: 1,
    agent: cut(from.version, 64),
    backend: from.backend,
    startedAt: iso(from.startedAtMs),
    clock: iso(from.nowMs),
    applied: stands.applied,
    // What is in force is undone by somebody again and again: no other word says more.
    state: guard.state === 'contended' && stands.applied !== null ? 'contended' : stands.state,
    mode: stands.mode,
    ...(stands.approvals === undefined ? {} : { approvals: stands.approvals }),
    rules: stands.rules,
    nack: stands.nack === null ? null : { ...stands.nack, message: cut(stands.nack.message, 2000) },
    drift: lines(guard.drift),
    repairs: {
      count,
      last:
        last === null
          ? null
          : { ...last, words: cut(last.words, 500), process: last.process && cut(last.process, 200) },
    },
    denials: from.denials,
    outgoing: from.outgoing,
    certificateEnds: from.certificateEnds,
    warnings: lines([...from.warnings, ...guard.warnings]),
  };
}

const MAX_LINES = 20;

function lines(words: readonly string[]): string[] {
  return [...new Set(words)].slice(0, MAX_LINES).map((line) => cut(line, 500));
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** A clock before 1970 or after 9999 is told as far as ISO goes. */
function iso(ms: number): string {
  return new Date(Math.min(Math.max(ms, 0), MAX_MS)).toISOString();
}

const MAX_MS = Date.UTC(9999, 11, 31);
