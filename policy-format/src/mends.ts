/** What to do, by code. Each stands on the page of errors as well. */
export const MENDS: Readonly<Record<string, string>> = {
  EDW_ERR_APPROVAL_GLASS_LONG:
    'Break-glass lasts no longer than the hours of the trust root. If it does not, set the clock of this machine.',
  EDW_ERR_APPROVAL_GLASS_OFF: 'Propose the change without break-glass, or change the trust root first.',
  EDW_ERR_APPROVAL_GLASS_UNSIGNED: 'Have one approver of the trust root sign it.',
  EDW_ERR_APPROVAL_PROPOSER: 'Have somebody with the role author propose it again.',
  EDW_ERR_APPROVAL_ROOT: 'Take over the newest trust root, then try again: `edgeward store roots` lists them.',
  EDW_ERR_APPROVAL_STORE:
    'Point this service at its own store. If it is, somebody replays what another store approved.',
  EDW_ERR_APPROVAL_THRESHOLD:
    'Propose the change again: the number of approvers comes from its risks and the trust root.',
  EDW_ERR_APPROVAL_TOO_FEW: 'Have more approvers of the trust root sign it; two keys of one person are one person.',
  EDW_ERR_APPROVAL_UNSIGNED: 'Have the proposer sign it on their own machine.',
  EDW_ERR_FORMAT_APPROVAL: 'Propose the change again with the same version of Edgeward as this one.',
  EDW_ERR_FORMAT_DEPTH:
    'What is in force stays. Nothing of Edgeward nests that deep: look at where the document comes from.',
  EDW_ERR_FORMAT_NOT_CANONICAL: 'What is in force stays. Look at what stands between the store and this service.',
  EDW_ERR_FORMAT_ROOT: 'Correct the trust root where the message says, and have it signed again.',
  EDW_ERR_FORMAT_SIGNED: 'Look at where the document comes from: it is cut off, or something else.',
  EDW_ERR_FORMAT_TOO_LARGE:
    'What is in force stays. Make the policy of this point smaller, or look at who answers for the store.',
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
};
