/** Why a request or a connection was denied, as points write it and as everybody who reads it says it. */
import type { Reason } from '@edgeward/policy';

export type DenyReason = Exclude<Reason, 'mode-off' | 'failsafe' | 'allowed-by-rule'>;
export type DenyVerdict = 'deny' | 'would-deny';

export const denyReasons: readonly [DenyReason, ...DenyReason[]] = [
  'no-policy',
  'unknown-object',
  'unknown-source',
  'port-not-allowed',
  'denied-by-rule',
  'bad-request',
  'request-not-allowed',
  'internal-error',
];
