import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import { payloadOf, type SignedDocument, signedDocumentOf } from './signing.ts';
import { namesWithRole, peopleWhoSigned } from './signing-people.ts';
import { digestOfRoot, type TrustRoot, trustRootOf } from './trust-root.ts';

/**
 * From the trust root that a person pinned to the newest one, version by version. Nothing is skipped: a store can show a
 * verifier only what enough approvers of the version before have signed.
 */

/**
 * The pinned one, of any version. It is believed because a person put this file there, so its signatures are not looked
 * at: whoever could write the file could sign what stands in it. Throws what `trustRootOf` throws, and EDW_ERR_FORMAT_….
 */
export function verifyFirstRoot(document: unknown): TrustRoot {
  return trustRootOf(payloadOf(signedDocumentOf(document), 'the trust root', LIMITS.rootBytes));
}

/**
 * The version after `current`. Throws what `verifyFirstRoot` throws, and EDW_ERR_ROOT_STORE, _VERSION, _PREVIOUS, _EPOCH,
 * _OLD_APPROVERS, _NEW_APPROVERS.
 */
export async function verifyNextRoot(current: TrustRoot, document: unknown): Promise<TrustRoot> {
  const signed = signedDocumentOf(document);
  const next = trustRootOf(payloadOf(signed, 'the trust root', LIMITS.rootBytes));
  const fault = chainFault(current, next);
  if (fault !== null) throw refused(fault.code, `after version ${current.version} of the trust root: ${fault.problem}`);
  await requireApprovers(current, signed, 'EDW_ERR_ROOT_OLD_APPROVERS', next.version);
  await requireApprovers(next, signed, 'EDW_ERR_ROOT_NEW_APPROVERS', next.version);
  return next;
}

function chainFault(current: TrustRoot, next: TrustRoot): { code: string; problem: string } | null {
  if (next.store !== current.store) return { code: 'EDW_ERR_ROOT_STORE', problem: 'one of another store was offered' };
  if (next.version !== current.version + 1)
    return { code: 'EDW_ERR_ROOT_VERSION', problem: `version ${next.version} was offered` };
  if (next.previous !== digestOfRoot(current))
    return { code: 'EDW_ERR_ROOT_PREVIOUS', problem: 'the one that was offered follows another one' };
  if (next.epoch < current.epoch)
    return { code: 'EDW_ERR_ROOT_EPOCH', problem: `epoch ${current.epoch} would become ${next.epoch}` };
  return null;
}

async function requireApprovers(root: TrustRoot, signed: SignedDocument, code: string, version: number): Promise<void> {
  const approvers = namesWithRole(await peopleWhoSigned(signed, 'edgeward-root/1', root), 'approver');
  if (approvers.size >= root.thresholds.root) return;
  throw refused(
    code,
    `version ${version} of the trust root is signed by ${approvers.size} approvers of version ${root.version}, ` +
      `which asks for ${root.thresholds.root}`,
  );
}
