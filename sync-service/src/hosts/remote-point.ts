import { type Actual, type Applied, type EnforcementPoint, revisionOlder } from '@edgeward/enforcement-point';
import type { HostNack, HostReport } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { createClaimedRevision } from './claimed-revision.ts';
import type { HostReports } from './host-reports.ts';
import type { PolicyShelf } from './policy-shelf.ts';

/**
 * A host as a point among others, though nothing is ever pushed to it: what it holds is what it reported, and to apply is to
 * lay the policy out and to wait a little for its word. A host that says nothing is unreachable, and keeps what it has. What
 * it refuses has the code that it gave.
 */
export interface RemotePointOptions {
  name: string;
  shelf: PolicyShelf;
  reports: HostReports;
  /** How long an apply waits for the host's word: 5 s. What comes later is found at the next look. */
  applyWaitMs?: number;
}

export function createRemotePoint(options: RemotePointOptions): EnforcementPoint {
  const { name, shelf, reports, applyWaitMs = 5_000 } = options;

  const claim = createClaimedRevision();

  function lastWord(): HostReport {
    const heard = reports.of(name);
    if (heard === null) throw neverHeard(name);
    if (reports.isStale(name)) throw silent(name, heard.heardAtMs);
    const { applied } = heard.report;
    const given = shelf.revisionOf(name);
    if (applied !== null && !claim.isBelieved(applied.revision, given)) throw neverGiven(name, applied.revision, given);
    return heard.report;
  }

  return {
    name,
    async probe() {
      const { applied, state, startedAt, nack, drift } = lastWord();
      return JSON.stringify([applied, state, startedAt, nack, drift]);
    },
    async inspect() {
      const report = lastWord();
      // Only of what it is to hold: of another policy it is told that there is this one.
      if (report.state === 'observed' && report.nack !== null && report.nack.revision === shelf.revisionOf(name))
        throw refusedBy(name, report.nack);
      return actualOf(report);
    },
    async apply(desired) {
      const report = lastWord();
      const held = report.applied;
      if (held !== null && held.revision > desired.revision) throw revisionOlder(name, desired.revision, held.revision);
      const isNew = !holds(report, desired);
      shelf.put(desired);
      await reports.within(name, applyWaitMs, (it) => answers(it, desired));
      return applied(lastWord(), desired, isNew);
    },
    // The host keeps what it has.
    close: async () => {},
  };

  function applied(report: HostReport, desired: CompiledPolicy, isNew: boolean): Applied {
    const nack = nackOf(report, desired);
    if (nack !== null) throw refusedBy(name, nack);
    if (!holds(report, desired)) throw noWord(name, desired.revision);
    return { revision: desired.revision, writes: isNew ? 1 : 0, bytes: 0 };
  }
}

function actualOf(report: HostReport): Actual {
  if (report.applied === null) return { state: 'empty' };
  const { revision, hash } = report.applied;
  const contended = 'somebody undoes every repair';
  const drift = report.state === 'contended' && report.drift.length === 0 ? [contended] : report.drift;
  return { state: 'loaded', revision, hash, drift, unfinished: [] };
}

function holds({ applied }: HostReport, { revision, hash }: CompiledPolicy): boolean {
  return applied?.revision === revision && applied.hash === hash;
}

/** Why the host did not do what this policy says; a word on an older one says nothing of this one. */
function nackOf({ nack }: HostReport, { revision }: CompiledPolicy): HostNack | null {
  return nack?.revision === revision ? nack : null;
}

function answers(report: HostReport, desired: CompiledPolicy): boolean {
  return holds(report, desired) || nackOf(report, desired) !== null;
}

function refusedBy(name: string, { code, message }: HostNack): EdgewardError {
  return new EdgewardError(code, `${name}: ${message}`, {
    mend: 'The host keeps what it had, or only observes. docs/errors.md says of this code what to do; `edgeward agent status` on the host says more.',
  });
}

function neverHeard(name: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_POINT_UNREACHABLE',
    `looking at ${name}: it has not reported since this service started`,
    {
      mend: 'Enrol the host (`edgeward hosts invite`) and start its agent; one that is enrolled reports within a minute. It keeps what it has.',
    },
  );
}

function silent(name: string, heardAtMs: number): EdgewardError {
  const since = new Date(heardAtMs).toISOString();
  return new EdgewardError('EDW_ERR_POINT_UNREACHABLE', `looking at ${name}: it has not reported since ${since}`, {
    mend: 'Look whether the host runs, its agent with it (`systemctl status edgeward-agent`), and whether it reaches this service. It keeps what it has.',
  });
}

function neverGiven(name: string, claimed: number, given: number | null): EdgewardError {
  const newest = given === null ? 'nothing yet' : `revision ${given} at most`;
  const message = `looking at ${name}: it says that it holds revision ${claimed}, and was given ${newest}`;
  return new EdgewardError('EDW_ERR_HOST_REVISION', message, {
    mend: 'Before the first policy of this service, wait for it. If the service was set back to an old backup, remove the agent with its state from the host and enrol it again. If not, somebody else speaks for this host: invite it again.',
  });
}

function noWord(name: string, revision: number): EdgewardError {
  return new EdgewardError('EDW_ERR_POINT_UNREACHABLE', `${name} has not said yet that it holds revision ${revision}`, {
    mend: 'Wait for its next report, a minute at most. If it stays so, look at `edgeward agent status` on the host.',
  });
}
