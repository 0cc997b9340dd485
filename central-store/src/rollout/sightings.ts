/**
 * Reports, as they come, made into what a roll-out looks at. A point has applied the version when it says that it holds a
 * revision which it was given here with that version; a number from elsewhere says nothing, however great. A refusal counts
 * from the revision on from which the point's heads are of the version; what is said of older ones is past.
 */
import type { PointReport } from '@edgeward/policy-format';
import { createDenialHistory, type DenialHistory } from './denial-history.ts';
import { createGivenHeads } from './given-heads.ts';
import { AWAY_MS, MAX_SERVICES, type Sight, type Sights } from './sight.ts';

export interface Sightings {
  heard(report: PointReport, heardMs: number): void;
  /** What the point's newest head is of. */
  served(point: string, head: ServedHead, nowMs: number): void;
  /** Of these points, as far as anything was heard of them, looking at `version`. */
  look(points: Iterable<string>, version: number, nowMs: number): Sights;
  /** Of points that no version has any more. */
  forgetExcept(points: ReadonlySet<string>): void;
}

interface ServedHead {
  version: number;
  epoch: number;
  revision: number;
}

interface Known {
  /** By service, the newest last. */
  reports: Map<string, { report: PointReport; heardMs: number }>;
  heardMs: number | null;
  presentMs: number;
  denials: DenialHistory;
  /** From which head on its version has been what it is. */
  first: (ServedHead & { servedMs: number }) | null;
  applied: { first: ServedHead; atMs: number; total: number } | null;
}

export function createSightings(startMs: number): Sightings {
  const points = new Map<string, Known>();
  /** Heads of the version that each point was given last, until it has applied one. */
  const given = createGivenHeads();
  let sinceMs = startMs;
  let lastMs: number | null = null;

  function known(point: string): Known {
    const found = points.get(point);
    if (found !== undefined) return found;
    const fresh: Known = {
      reports: new Map(),
      heardMs: null,
      presentMs: 0,
      denials: createDenialHistory(),
      first: null,
      applied: null,
    };
    points.set(point, fresh);
    return fresh;
  }

  /** A clock that was set back must not keep anybody present who is gone. */
  function setBack(nowMs: number): void {
    lastMs = nowMs;
    sinceMs = Math.min(sinceMs, nowMs);
    for (const it of points.values()) {
      if (it.heardMs !== null) it.heardMs = Math.min(it.heardMs, nowMs);
      it.presentMs = Math.min(it.presentMs, nowMs);
    }
  }

  function noteApplied(point: string, it: Known, heardMs: number): void {
    const { first } = it;
    if (first === null || it.applied?.first === first) return;
    const holds = [...it.reports.values()].some(
      ({ report: { epoch, applied } }) => applied !== null && given.has(point, epoch, applied),
    );
    if (!holds) return;
    it.applied = { first, atMs: heardMs, total: it.denials.total() };
    given.forget(point);
  }

  function forget(point: string): void {
    points.delete(point);
    given.forget(point);
  }

  return {
    heard(report, heardMs) {
      if (lastMs !== null && heardMs < lastMs) setBack(heardMs);
      if (heardMs - (lastMs ?? startMs) > AWAY_MS) sinceMs = heardMs;
      lastMs = heardMs;
      const it = known(report.point);
      if (it.heardMs === null || heardMs - it.heardMs > AWAY_MS) it.presentMs = heardMs;
      it.heardMs = heardMs;
      it.reports.delete(report.service);
      it.reports.set(report.service, { report, heardMs });
      for (const name of [...it.reports.keys()].slice(0, -MAX_SERVICES)) it.reports.delete(name);
      it.denials.add(report, heardMs);
      noteApplied(report.point, it, heardMs);
    },
    served(point, head, nowMs) {
      const it = known(point);
      if (it.first?.version !== head.version) {
        it.first = { ...head, servedMs: nowMs };
        given.forget(point);
      }
      if (it.applied?.first !== it.first) given.add(point, head.epoch, head.revision);
      // The head may have been applied, and told, before anybody said here that it is served.
      if (it.heardMs !== null) noteApplied(point, it, it.heardMs);
    },
    look(names, version, nowMs) {
      const seen = new Map<string, Sight>();
      for (const point of names) {
        const it = points.get(point);
        if (it !== undefined && it.heardMs !== null) seen.set(point, sightOf(it, it.heardMs, version, nowMs));
      }
      return { sinceMs, heardMs: lastMs, points: seen };
    },
    forgetExcept(kept) {
      for (const point of [...points.keys()]) if (!kept.has(point)) forget(point);
    },
  };
}

function sightOf(
  { presentMs, denials, first, applied, reports }: Known,
  heardMs: number,
  version: number,
  nowMs: number,
): Sight {
  const isOfIt = first?.version === version;
  const holds = isOfIt && applied !== null && applied.first === first ? applied : null;
  const refusing = isOfIt ? [...reports.values()].find((it) => isRefusal(it, first, nowMs)) : undefined;
  return {
    heardMs,
    presentMs,
    servedMs: isOfIt && first !== null ? first.servedMs : null,
    appliedMs: holds?.atMs ?? null,
    nack: refusing?.report.nack ?? null,
    refusesOlder: [...reports.values()].some((it) => isTooOld(it, nowMs)),
    denials: holds === null ? null : { count: denials.total() - holds.total, forMs: heardMs - holds.atMs },
    deniedPerHour: denials.perHour(nowMs),
  };
}

function isTooOld({ report, heardMs }: { report: PointReport; heardMs: number }, nowMs: number): boolean {
  return nowMs - heardMs <= AWAY_MS && report.nack?.code === 'EDW_ERR_APPROVAL_ROLLBACK';
}

/**
 * Of a service that is gone the last word does not stand for ever. And what could not be fetched is no word on the version: a
 * replica or a mirror may be late, and where nobody ever has it, the time that the roll-out gives a point ends.
 */
function isRefusal(
  { report, heardMs }: { report: PointReport; heardMs: number },
  first: ServedHead,
  nowMs: number,
): boolean {
  const { nack, epoch } = report;
  if (nack === null || nack.stage === 'fetch') return false;
  return nowMs - heardMs <= AWAY_MS && isFrom(epoch, nack.revision, first);
}

function isFrom(epoch: number, revision: number | null, first: ServedHead): boolean {
  if (revision === null || epoch < first.epoch) return false;
  return epoch > first.epoch || revision >= first.revision;
}
