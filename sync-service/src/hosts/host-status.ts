import type { HostReport } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy, ProtectedObject } from '@edgeward/policy';
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

type HostHazardCode =
  | 'no-management'
  | 'only-observed'
  | 'contended'
  | 'clock-skew'
  | 'certificate-ends'
  | 'unverified-approvals'
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

export interface Expected {
  /** What the host is to hold; null before there is anything. */
  desired: CompiledPolicy | null;
  /** People approved it, at a central store. */
  isApproved: boolean;
}

/** Pure. */
export function hostHazards(
  point: string,
  { report, clockSkewMs }: HostStatus,
  { desired, isApproved }: Expected,
  nowMs: number,
): HostHazard[] {
  if (report === null) return [];
  const found: HostHazard[] = [];
  const add = (code: HostHazardCode, words: string, mend: string): void => {
    found.push({ object: point, code, words, mend });
  };
  const isToEnforce = desired?.objects.some(({ mode }) => mode === 'enforce') ?? false;
  if (isToEnforce && report.mode === 'observe')
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
  if (isApproved && report.applied !== null && report.approvals !== 'verified')
    add('unverified-approvals', UNVERIFIED, UNVERIFIED_MEND);
  for (const words of report.warnings) add('agent-warning', words, 'Look at `edgeward agent status` on the host.');
  return found;
}

/**
 * Objects that were to be enforced, and are compiled to be observed: nobody could reach such a host any more to undo a
 * mistake. With a central store people have approved that they are observed, and nothing is said here.
 */
export function unmanagedHazards(objects: readonly ProtectedObject[]): HostHazard[] {
  const unmanaged = objects.filter(({ kind, failsafe }) => kind === 'workload' && failsafe.length === 0);
  return unmanaged.filter(isMeantToEnforce).map(({ name, point }) => ({
    object: name,
    code: 'no-management',
    words: `it is only observed: ${point} has no management addresses`,
    mend: `Write a document of kind Point with the name ${point} and \`management\`: who may always reach tcp/22 there.`,
  }));
}

function isMeantToEnforce({ mode, document: { value } }: ProtectedObject): boolean {
  return (
    mode !== 'enforce' && typeof value === 'object' && value !== null && 'mode' in value && value.mode === 'enforce'
  );
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
const UNVERIFIED = 'unverified approvals: it takes the word of this service for what people approved';
const UNVERIFIED_MEND = 'Bring the trust root there, and name it as `rootFile` in its agent.yaml.';
const ENDS_MEND = 'Look at the log of the agent for what keeps it from renewing. One that ended is enrolled again.';
