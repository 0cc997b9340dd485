/** What to do, by code. Each stands on the page of errors as well. */
export const MENDS: Readonly<Record<string, string>> = {
  EDW_ERR_APPROVAL_BASE:
    'Publish again: a break-glass version goes with the fully approved one before it, and no other version with any.',
  EDW_ERR_APPROVAL_GLASS_LONG:
    'Break-glass lasts no longer than the hours of the trust root. If it does not, set the clock of this machine.',
  EDW_ERR_APPROVAL_GLASS_OFF: 'Propose the change without break-glass, or change the trust root first.',
  EDW_ERR_APPROVAL_GLASS_UNSIGNED: 'Have one approver of the trust root sign it.',
  EDW_ERR_APPROVAL_PROPOSER: 'Have somebody with the role author propose it again.',
  EDW_ERR_APPROVAL_ROLLBACK:
    'To have an older policy again, restore it as a new version. If nobody asked for it, somebody replays an old approval.',
  EDW_ERR_APPROVAL_ROOT: 'Take over the newest trust root, then try again: `edgeward store roots` lists them.',
  EDW_ERR_APPROVAL_SLICE:
    'What is in force stays. Nobody approved these rules for this point: look at the store, and at what stands between.',
  EDW_ERR_APPROVAL_STORE:
    'Point this service at its own store. If it is, somebody replays what another store approved.',
  EDW_ERR_APPROVAL_THRESHOLD:
    'Propose the change again: the number of approvers comes from its risks and the trust root.',
  EDW_ERR_APPROVAL_TOO_FEW: 'Have more approvers of the trust root sign it; two keys of one person are one person.',
  EDW_ERR_APPROVAL_UNSIGNED: 'Have the proposer sign it on their own machine.',
  EDW_ERR_BLOB_MISSING:
    'What is in force stays. Look whether the store, or the mirror, is whole: a head came without what it names.',
  EDW_ERR_DELTA_FROM: 'Nothing: the whole head is asked for next.',
  EDW_ERR_FENCE_GROUP:
    'What is in force stays. The store names members of a group that nobody approved: look at who answers for it.',
  EDW_ERR_FENCE_MAX:
    'Look at the inventory: more workloads fit the selector than people allowed. If they should, propose a higher `max`.',
  EDW_ERR_FENCE_OUTSIDE:
    'What is in force stays. A store leaves out who is outside a fence; this one did not. Look at who answers for it.',
  EDW_ERR_FORMAT_APPROVAL: 'Propose the change again with the same version of Edgeward as this one.',
  EDW_ERR_FORMAT_DELTA:
    'Nothing: the whole head is asked for next. If it comes again, look at what stands between the store and here.',
  EDW_ERR_FORMAT_DEPTH:
    'What is in force stays. Nothing of Edgeward nests that deep: look at where the document comes from.',
  EDW_ERR_FORMAT_DIGEST:
    'What is in force stays. A blob is cut off or changed: look at the mirror, or at what stands between.',
  EDW_ERR_FORMAT_HEAD: 'What is in force stays. Run the same version of Edgeward at the store and here.',
  EDW_ERR_FORMAT_INDEX:
    'What is in force stays. Run the same version of Edgeward at the store and here; if it is, look at the store.',
  EDW_ERR_FORMAT_NOT_CANONICAL: 'What is in force stays. Look at what stands between the store and this service.',
  EDW_ERR_FORMAT_PAGE:
    'What is in force stays. Run the same version of Edgeward at the store and here; if it is, look at the store.',
  EDW_ERR_FORMAT_QUESTION: 'Run the same version of Edgeward at the store and at the point.',
  EDW_ERR_FORMAT_REPORT: 'Run the same version of Edgeward at the store and at the point.',
  EDW_ERR_FORMAT_ROOT: 'Correct the trust root where the message says, and have it signed again.',
  EDW_ERR_FORMAT_RULES: 'What is in force stays. Run the same version of Edgeward where policy is approved and here.',
  EDW_ERR_FORMAT_SIGNED: 'Look at where the document comes from: it is cut off, or something else.',
  EDW_ERR_FORMAT_TOO_LARGE:
    'What is in force stays. Make the policy of this point smaller, or look at who answers for the store.',
  EDW_ERR_HEAD_AUDIENCE: 'Give this service the identity of its own point. If it has it, the store mixes points up.',
  EDW_ERR_HEAD_CONFLICT:
    'What is in force stays. Two stores sign with one key, or one was set back: raise the epoch in the trust root.',
  EDW_ERR_HEAD_EPOCH: 'Publish again, so that heads are of the epoch that the trust root says.',
  EDW_ERR_HEAD_JUMP:
    'What is in force stays. Somebody drives revisions up: look at who has the key of the store, and raise the epoch.',
  EDW_ERR_HEAD_REQUIRES: 'Run a newer version of Edgeward here, or take what it does not know out of the policy.',
  EDW_ERR_HEAD_ROLLBACK:
    'What is in force stays. If the store was set back to a backup, raise the epoch in the trust root.',
  EDW_ERR_HEAD_ROOT: 'Look whether the store, or the mirror, serves every version of the trust root.',
  EDW_ERR_HEAD_STORE: 'Point this service at its own store, or pin the trust root of this one.',
  EDW_ERR_HEAD_UNSIGNED:
    'Look whether the store signs with a key of the trust root. If it does, somebody else signed this.',
  EDW_ERR_KEY: 'Make a key with `edgeward store key`, and keep its file as it is.',
  EDW_ERR_ROOT_EPOCH: 'Propose the trust root with the epoch of the one before, or a higher one.',
  EDW_ERR_ROOT_KEY_ID: 'Write the key as `edgeward store key` prints it: its id is made from the key.',
  EDW_ERR_ROOT_KEY_SHARED: 'Give each person, the store and its log keys of their own, each once.',
  EDW_ERR_ROOT_KEY_WEAK: 'Make a key with `edgeward store key`, and ask who brought this one.',
  EDW_ERR_ROOT_NEW_APPROVERS: 'Have more approvers sign who are approvers in the new trust root.',
  EDW_ERR_ROOT_OLD_APPROVERS: 'Have more approvers sign who are approvers in the trust root that is in force.',
  EDW_ERR_ROOT_PEOPLE: 'Name each person once, with all roles and keys together.',
  EDW_ERR_ROOT_PREVIOUS:
    'Propose the change again, on the trust root that is in force. If it is, somebody shows another history.',
  EDW_ERR_ROOT_STORE: 'Point this service at its own store, or pin the trust root of this one.',
  EDW_ERR_ROOT_THRESHOLDS:
    'Lower the threshold, or name more approvers with keys: nobody could change it back afterwards.',
  EDW_ERR_ROOT_VERSION: 'Offer the versions of the trust root one after the other, without a gap.',
  EDW_ERR_RULES_POINT: 'What is in force stays. The store serves rules of another point: look at who answers for it.',
  EDW_ERR_STATE_ROOT: 'After a delta, nothing: the whole head is asked for next. After a head, look at the store.',
};
