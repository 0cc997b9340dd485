import type { HostReport } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import type { HostReports } from './host-reports.ts';

/** What the status and the metrics say of a host beside what every point says. */
export interface HostStatus {
  /** When it reported last; null: not since this service started. */
  heardAtMs: number | null;
  /** Three reports in a row were missed. */
  stale: boolean;
  /** The clock of the host less that of the service. */
  clockSkewMs: number | null;
  /** As it came. */
  report: HostReport | null;
}

/** What stands in the way of enforcement, or will: words and what to do. */
export interface HostHazard {
  /** The object, or the host where all of it is meant. */
  object: string;
  code: HostHazardCode;
  words: string;
  mend: string;
}

export type HostHazardCode =
  | 'no-management'
  | 'only-observed'
  | 'contended'
  | 'clock-skew'
  | 'certificate-ends'
  | 'agent-warning';

const CLOCK_SKEW_MS = 10_000;
const CERTIFICATE_ENDS_MS = 14 * 86_400_000;
const DAY_MS = 86_400_000;

export function hostStatus(point: string, reports: HostReports): HostStatus {
  const heard = reports.of(point);
  if (heard === null) return { heardAtMs: null, stale: false, clockSkewMs: null, report: null };
  const { report, heardAtMs, clockSkewMs } = heard;
  return { heardAtMs, stale: reports.isStale(point), clockSkewMs, report };
}

/** Pure. `desired` is what the host is to hold; null before there is anything. */
export function hostHazards(
  point: string,
  { report, clockSkewMs }: HostStatus,
  desired: CompiledPolicy | null,
  nowMs: number,
): HostHazard[] {
  const unmanaged = withoutManagement(point, desired);
  if (report === null) return unmanaged;
  const found: HostHazard[] = [...unmanaged];
  const add = (code: HostHazardCode, words: string, mend: string): void => {
    found.push({ object: point, code, words, mend });
  };
  const isToEnforce = desired?.objects.some(({ mode }) => mode === 'enforce') ?? false;
  if (isToEnforce && report.mode === 'observe' && unmanaged.length === 0)
    add(
      'only-observed',
      observedWords(report),
      'Nothing is denied there. `edgeward agent status` on the host says why.',
    );
  if (report.state === 'contended') add('contended', 'somebody undoes every repair of its rules', CONTENDED_MEND);
  if (clockSkewMs !== null && Math.abs(clockSkewMs) >= CLOCK_SKEW_MS)
    add(
      'clock-skew',
      skewWords(clockSkewMs),
      'Set the clock of the host, or of the service: denials are recorded by the host.',
    );
  const endsInMs = Date.parse(report.certificateEnds) - nowMs;
  if (endsInMs < CERTIFICATE_ENDS_MS) add('certificate-ends', endsWords(endsInMs, report), ENDS_MEND);
  for (const words of report.warnings) add('agent-warning', words, 'Look at `edgeward agent status` on the host.');
  return found;
}

/** The host observes such an object, whatever its mode says: nobody could reach it any more to undo a mistake. */
function withoutManagement(point: string, desired: CompiledPolicy | null): HostHazard[] {
  const enforced = desired?.objects.filter(({ mode, failsafe }) => mode === 'enforce' && failsafe === null) ?? [];
  return enforced.map(({ name }) => ({
    object: name,
    code: 'no-management',
    words: `it is only observed: ${point} has no management addresses`,
    mend: `Write a document of kind Point with the name ${point} and \`management\`: who may always reach tcp/22 there.`,
  }));
}

function observedWords({ nack }: HostReport): string {
  return nack === null ? 'it is only observed' : `it is only observed: ${nack.message}`;
}

function skewWords(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  return `its clock is ${seconds} s ${ms > 0 ? 'ahead of' : 'behind'} that of this service`;
}

function endsWords(endsInMs: number, { certificateEnds }: HostReport): string {
  if (endsInMs <= 0) return `its certificate ended at ${certificateEnds}`;
  return `its certificate ends in ${Math.ceil(endsInMs / DAY_MS)} days and was not renewed`;
}

const CONTENDED_MEND =
  'Find the program that writes rules on the host: its report names it. It goes on being repaired, with pauses.';
const ENDS_MEND = 'Look at the log of the agent for what keeps it from renewing. One that ended is enrolled again.';
