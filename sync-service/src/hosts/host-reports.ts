import { type HostReport, STALE_AFTER_MS } from '@edgeward/host-agent/protocol';
import type { Clock } from '@edgeward/runtime';

/**
 * What hosts said last of themselves, and when. In memory alone: a service that starts anew knows nothing of a host until it
 * reports again. It judges nothing but silence.
 */
export interface HostReports {
  hear(point: string, report: HostReport, remote: string): void;
  /** Null: not since this service started. */
  of(point: string): HeardHost | null;
  /** Heard once, and then three reports in a row were missed. Of time that passes, not of the time of day: that may be set. */
  isStale(point: string): boolean;
  /** Whether a report, the last one or one within `ms`, is as `holds` wants it. */
  within(point: string, ms: number, holds: (report: HostReport) => boolean): Promise<boolean>;
  /** Ends every wait, and those to come at once. */
  close(): void;
}

interface HeardHost {
  report: HostReport;
  heardAtMs: number;
  /** The clock of the host less that of the service, the way included. */
  clockSkewMs: number;
  /** Address that the report came from. */
  remote: string;
}

export function createHostReports(clock: Clock): HostReports {
  const heard = new Map<string, HeardHost>();
  const stale = new Set<string>();
  const silences = new Map<string, () => void>();
  let closed = false;
  const listeners = new Map<string, Set<(report: HostReport | null) => void>>();
  return {
    hear(point, report, remote) {
      const heardAtMs = clock.now();
      const clockSkewMs = Date.parse(report.clock) - heardAtMs;
      heard.set(point, { report, heardAtMs, clockSkewMs, remote });
      stale.delete(point);
      silences.get(point)?.();
      if (!closed)
        silences.set(
          point,
          clock.after(STALE_AFTER_MS, () => stale.add(point)),
        );
      for (const listen of [...(listeners.get(point) ?? [])]) listen(report);
    },
    of: (point) => heard.get(point) ?? null,
    isStale: (point) => stale.has(point),
    within(point, ms, holds) {
      const last = heard.get(point);
      if (last !== undefined && holds(last.report)) return Promise.resolve(true);
      if (closed) return Promise.resolve(false);
      return new Promise((resolve) => {
        const own = listeners.get(point) ?? new Set();
        listeners.set(point, own);
        const end = (answer: boolean): void => {
          cancel();
          own.delete(listen);
          if (own.size === 0) listeners.delete(point);
          resolve(answer);
        };
        const listen = (report: HostReport | null): void => {
          if (report === null) end(false);
          else if (holds(report)) end(true);
        };
        const cancel = clock.after(ms, () => end(false));
        own.add(listen);
      });
    },
    close() {
      closed = true;
      for (const cancel of silences.values()) cancel();
      for (const own of [...listeners.values()]) for (const listen of [...own]) listen(null);
    },
  };
}
