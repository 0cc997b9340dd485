import { isWeakKey } from './key-strength.ts';
import { keyIdOf } from './signing.ts';
import { whoCanSign } from './signing-people.ts';
import type { PublicKey, TrustRoot } from './trust-root.ts';

/** What is wrong with a trust root whose form is right; null: nothing. Of several the first. */
export function rootFault(root: TrustRoot): RootFault | null {
  return peopleFault(root) ?? keyFault(root) ?? thresholdFault(root);
}

export interface RootFault {
  code: string;
  problem: string;
}

function peopleFault(root: TrustRoot): RootFault | null {
  const twice = firstTwice(root.people.map((person) => person.name));
  return twice === null ? null : { code: 'EDW_ERR_ROOT_PEOPLE', problem: `${twice} is named twice` };
}

/** A key is one person's or one service's: what it signs must say who signed. */
function keyFault(root: TrustRoot): RootFault | null {
  const keys = allKeys(root);
  const planted = keys.find(({ kid, x }) => keyIdOf(x) !== kid);
  if (planted) return { code: 'EDW_ERR_ROOT_KEY_ID', problem: `${planted.kid} is not the id of its key` };
  const weak = keys.find(({ x }) => isWeakKey(x));
  if (weak) return { code: 'EDW_ERR_ROOT_KEY_WEAK', problem: `with ${weak.kid} anybody can sign` };
  const twice = firstTwice(keys.map(({ kid }) => kid));
  return twice === null ? null : { code: 'EDW_ERR_ROOT_KEY_SHARED', problem: `the key ${twice} stands twice` };
}

function allKeys(root: TrustRoot): PublicKey[] {
  return [...root.people.flatMap((person) => person.keys), ...root.storeKeys, ...root.logKeys];
}

/**
 * Once such a root is in force nobody could change anything, this document included. One author whom enough others can
 * approve is enough: who else has a role that does not reach is theirs to see.
 */
function thresholdFault(root: TrustRoot): RootFault | null {
  const approvers = whoCanSign(root, 'approver');
  const { elevated, root: forRoot } = root.thresholds;
  const code = 'EDW_ERR_ROOT_THRESHOLDS';
  if (approvers.length < forRoot)
    return { code, problem: `${forRoot} approvers are to sign the next one, and ${approvers.length} can` };
  const most = Math.max(
    -1,
    ...whoCanSign(root, 'author').map((author) => approvers.filter(({ name }) => name !== author.name).length),
  );
  if (most === -1) return { code, problem: 'nobody with the role author has a key' };
  if (most < elevated)
    return { code, problem: `${elevated} approvers beside the proposer are to sign, and at most ${most} can` };
  return null;
}

function firstTwice(texts: readonly string[]): string | null {
  return texts.find((text, at) => texts.indexOf(text) !== at) ?? null;
}
