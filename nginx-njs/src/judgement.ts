import type { AddressKey, Flow, Mode, PolicyView, Verdict } from '@edgeward/policy';
import { decideFor, formatAddress, judgedAddress } from '@edgeward/policy/dialect';
import type { ReadAlready } from './zone.ts';
import { openPolicy } from './zone.ts';
import type { Zone } from './zone-life.ts';

/**
 * One verdict, for a request or for a connection: what both transports do alike. It reads a zone and nothing of NGINX,
 * counts nothing and writes nothing.
 */
export interface Judgement {
  policy: PolicyView;
  verdict: Verdict;
  /** Denied, and passes all the same. */
  observed: boolean;
}

/** Of a hook that failed. `decide` never gives it. */
export const FAILED: Verdict = { verdict: 'deny', reason: 'internal-error', rule: null, revision: 0 };

interface Asking {
  /** The whole flow, where something turns on it: a variable of NGINX costs as much as a read of the zone. */
  read?: () => Flow;
  known?: ReadAlready | null;
}

export function judge(
  zone: Zone,
  lastKnownFile: () => string,
  peer: AddressKey | null,
  flow: Flow,
  asking: Asking,
): Judgement {
  const policy = openPolicy(zone, lastKnownFile, asking.known || null);
  const verdict = decideFor(policy, peer, flow, asking.read);
  return { policy, verdict, observed: verdict.verdict === 'deny' && modeOf(policy, flow.to) === 'observe' };
}

/** The address that was judged, as text. */
export function sourceOf(policy: PolicyView, peer: AddressKey | null, flow: Flow, read?: () => Flow): string | null {
  if (peer === null) return null;
  const object = policy.loaded ? policy.object(flow.to) : null;
  return formatAddress(object === null ? peer : judgedAddress(object, peer, flow, read));
}

export function modeOf(policy: PolicyView, bind: string): Mode | null {
  if (!policy.loaded) return policy.lastKnownMode(bind);
  const object = policy.object(bind);
  return object === null ? null : object.mode;
}
