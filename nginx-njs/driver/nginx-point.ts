import type { EnforcementPoint } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import type { Logger } from '@edgeward/runtime';
import { joinZones } from './joined-zones.ts';
import { type ProofAddress, type ProofOutcome, type ProofQuestion, proveOnce } from './proof.ts';
import { createPushClient, type PushClient } from './push-client.ts';
import type { PushTlsFiles } from './push-connection.ts';
import { isSecure } from './push-transport.ts';
import { createPushedZone, type PushedZone } from './pushed-zone.ts';

const CALL_TIMEOUT_MS = 5000;

/**
 * One NGINX. What is new is written beside what is in force; the last write switches; what nobody reads any more is
 * deleted a while later. Services that share this NGINX never undo each other: whoever began last writes.
 */
export interface NginxPointOptions {
  name: string;
  /** Where http.conf's push server listens, `http://127.0.0.1:9180`; or that of push-tls.conf, `https://nginx:9180`. */
  push: string;
  /** Where stream.conf's push server listens, `tcp://127.0.0.1:9181` or `tls://nginx:9181`; null: no stream servers. */
  streamPush?: string | null;
  /** With `https` and `tls` alone. */
  tls?: PushTlsFiles | null;
  tokenFile: string;
  /** The file that NGINX loads after a start; that of the stream module has `-stream` behind its name. */
  lastKnownFile: string;
  logger: Logger;
  /** For one call: 5 s. */
  timeoutMs?: number;
  /** How long what was replaced stays, for requests that began before the switch: 2 s. */
  collectAfterMs?: number;
  /** Of mode hybrid; `folder` is what its http module includes. */
  snapshots?: { folder?: string; beforeSwitch(desired: CompiledPolicy): Promise<void> };
}

export interface NginxPoint extends EnforcementPoint {
  /** Exact totals that NGINX counted since it started; `epoch` changes with each start. */
  counts(): Promise<VerdictCounts>;
  probe(): Promise<string>;
  /** One synthetic flow through the server at this address; it is refused whatever the verdict. Never throws. */
  prove(question: ProofQuestion, at: ProofAddress, signal?: AbortSignal): Promise<ProofOutcome>;
  /** Makes this driver the one who writes the zone of the http module, and tells the hash of what is in force then. */
  claim(): Promise<string | null>;
  /** The native snapshots that NGINX includes; empty words where it includes none. */
  included(): Promise<{ folder: string; generation: string }>;
}

export interface VerdictCounts {
  epoch: string;
  counts: { bind: string; verdict: string; reason: string; total: number }[];
  /** Denials among them that wait, folded, for the line that tells their number. */
  waiting: number;
}

export function createNginxPoint(options: NginxPointOptions): NginxPoint {
  const { name, lastKnownFile, streamPush = null } = options;
  const http = openZone(options, options.push, lastKnownFile, options.snapshots);
  const stream = streamPush === null ? null : openZone(options, streamPush, streamLastKnown(lastKnownFile));
  const { inspect, apply, probe, close } = stream === null ? http.zone : joinZones(name, http.zone, stream.zone);
  const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;
  return {
    name,
    inspect,
    apply,
    probe,
    counts: async () => {
      // Both lie in one NGINX, so both begin anew together: one epoch names its life.
      const { epoch, counts, waiting = 0 } = await http.client.counts();
      const ofStream = await stream?.client.counts();
      return {
        epoch,
        counts: [...counts, ...(ofStream?.counts ?? [])].map(parseCount),
        waiting: waiting + (ofStream?.waiting ?? 0),
      };
    },
    prove: (question, at, signal) => proveOnce(http.client, question, at, { timeoutMs, signal }),
    claim: async () => (await http.zone.claim())?.hash ?? null,
    included: async () => (await http.client.state()).included ?? { folder: '', generation: '' },
    close,
  };
}

/** Where the stream module's part of a last-known file lies. */
function streamLastKnown(lastKnownFile: string): string {
  return `${lastKnownFile}-stream`;
}

function openZone(
  options: NginxPointOptions,
  url: string,
  lastKnownFile: string,
  snapshots?: NginxPointOptions['snapshots'],
): { client: PushClient; zone: PushedZone } {
  const { name: point, tokenFile, logger, collectAfterMs: graceMs = 2000, timeoutMs = CALL_TIMEOUT_MS } = options;
  const tls = isSecure(url) ? (options.tls ?? null) : null;
  const client = createPushClient({ point, url, tokenFile, tls, timeoutMs });
  const switching = { snapshots: snapshots?.folder, beforeSwitch: snapshots?.beforeSwitch };
  return { client, zone: createPushedZone({ point, client, lastKnownFile, graceMs, logger, ...switching }) };
}

function parseCount([key, total]: [string, number]): VerdictCounts['counts'][number] {
  const [bind = '', verdict = '', reason = ''] = key.split('\t');
  return { bind, verdict, reason, total };
}
