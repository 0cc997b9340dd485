/**
 * Versions that were approved under an older trust root. Keys that were taken from people since could have signed one
 * yesterday, and a store that lies could show it: such a version is believed where enough of its signatures hold under the
 * newest root too, or where this machine knows it, from then or from a person.
 */
import { type Approval, type Digest, digestOfPayload, type TrustRoot, verifyApproval } from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { ShownVersion } from '../client/store-answers.ts';

export interface Belief {
  root: TrustRoot;
  known: (digest: Digest) => boolean;
  nowMs: number;
}

/** Throws EDW_ERR_APPROVAL_… with what a person can do. */
export async function requireBelieved(shown: ShownVersion, payload: Approval, belief: Belief): Promise<void> {
  const { root, known, nowMs } = belief;
  // Of the newest root itself its signatures are looked at in any case.
  if (payload.root >= root.version) return;
  const digest = digestOfPayload(shown.approval);
  try {
    await verifyApproval({ document: shown.approval, root, accepted: known, nowMs });
  } catch (cause) {
    if (!(cause instanceof EdgewardError) || !/^EDW_ERR_APPROVAL_/.test(cause.code)) throw cause;
    throw new EdgewardError(
      cause.code,
      `looking at version ${payload.version}, ${digest}: it was approved under trust root ${payload.root}, and by trust root ${root.version} ${messageOf(cause)}`,
      {
        mend: `Compare the 64 digits with \`edgeward store root\` of somebody whose machine has seen this version; if they are the same, add \`--confirm-version ${digest}\`.`,
        cause,
      },
    );
  }
}
