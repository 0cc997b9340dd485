/**
 * Where the deny logs of NGINX on other machines arrive: each has a forwarder, whose certificate names the point, and speaks of
 * that point alone. Without a policy nothing is taken: names and labels would be missing in the ledger for ever.
 */
import { type BatchListener, type Collector, openBatchListener, type StatusError } from '@edgeward/audit-collector';
import { type Clock, type Lifecycle, type Logger, type Registry, systemClock } from '@edgeward/runtime';
import type { ForwardersConfig } from './config.ts';
import { createForwarderStatements } from './forwarder-statements.ts';
import { pointOf } from './hosts/host-identity.ts';
import type { PolicyInForce } from './policy-in-force.ts';

export interface ForwarderStatus {
  /** Null: not since the service started. */
  heardAtMs: number | null;
  /** It says that it is there every 15 s. */
  stale: boolean;
  clockSkewMs: number | null;
  /** What waited there when it was heard; null: it was not. */
  waiting: { records: number; unreadBytes: number; shed: number } | null;
  /** Why what it sent last was refused. */
  error: StatusError | null;
}

export interface Forwarders {
  /** Null where nothing is listened on. */
  url: string | null;
  /** Null for a point whose log is here, or that has none. */
  of(point: string): ForwarderStatus | null;
  /** Something of that point may be on its way; undefined where it has no forwarder. */
  isWaiting(point: string): boolean | undefined;
  /** Whatever that point had written by then is stored, as far as was heard; null: not known, or no forwarder. */
  readUpToMs(point: string): number | null;
}

export interface ForwardersOptions {
  config: ForwardersConfig | undefined;
  collector: Collector;
  policy: PolicyInForce;
  registry: Registry;
  logger: Logger;
  lifecycle: Lifecycle;
  clock?: Clock | undefined;
}

const STALE_MS = 60_000;
const NONE: Forwarders = { url: null, of: () => null, isWaiting: () => undefined, readUpToMs: () => null };

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openForwarders(options: ForwardersOptions): Promise<Forwarders> {
  const { config, collector, policy, registry, logger, lifecycle, clock = systemClock } = options;
  if (config === undefined) return NONE;
  const { listen, files, recordsPerSecond, points } = config;
  const listener = await openBatchListener({
    ...{ listen, files, recordsPerSecond, registry, clock, logger },
    senders: new Map(points.map((point) => [point, [point]])),
    nameOf: pointOf,
    intake: collector,
    hindrance: () => (policy.status().state === 'none' ? 'no policy is in force yet' : null),
  });
  lifecycle.onClose('forwarders', () => listener.close());
  const statements = createForwarderStatements();
  const of: Forwarders['of'] = (point) => statusOf(listener, point, clock.now());
  return {
    url: listener.url,
    of,
    isWaiting(point) {
      const status = of(point);
      if (status === null) return undefined;
      const { stale, waiting } = status;
      return stale || waiting === null || waits(waiting);
    },
    readUpToMs(point) {
      const { heardAtMs = null, waiting = null } = of(point) ?? {};
      if (heardAtMs === null || waiting === null) return null;
      statements.heard(point, { heardAtMs, isNothingWaiting: !waits(waiting) });
      return statements.readUpToMs(point);
    },
  };
}

const waits = ({ records, unreadBytes, shed }: NonNullable<ForwarderStatus['waiting']>): boolean =>
  records + unreadBytes + shed > 0;

function statusOf(listener: BatchListener, point: string, nowMs: number): ForwarderStatus | null {
  const sender = listener.senders().find(({ name }) => name === point);
  if (sender === undefined) return null;
  const { heard, error } = sender;
  const heardAtMs = heard === null ? null : Date.parse(heard.at);
  const stale = heardAtMs === null || nowMs - heardAtMs > STALE_MS;
  return { heardAtMs, stale, clockSkewMs: heard?.skewMs ?? null, waiting: heard?.waiting ?? null, error };
}
