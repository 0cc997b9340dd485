import { EdgewardError } from '@edgeward/runtime';

/** What the store says no to, each with its code and its mend in one place. */
export type ProposalCode = keyof typeof MENDS;

const MENDS = {
  EDW_ERR_PROPOSAL_UNKNOWN: 'List the proposals with `edgeward store review`, and name one of them.',
  EDW_ERR_PROPOSAL_CLOSED: 'Propose it again, built on what is published now.',
  EDW_ERR_PROPOSAL_PROPOSER:
    'Propose in your own name: the name in it, the certificate and the key must be one person.',
  EDW_ERR_PROPOSAL_OWN: 'Let another approver look at it. Nobody approves what is their own.',
  EDW_ERR_PROPOSAL_SIGNATURE: 'Sign the payload of this very proposal with a key that the trust root lists as yours.',
  EDW_ERR_PROPOSAL_DIFFERS:
    'Compute the proposal again from the documents, and do not sign it unless it comes out equal.',
  EDW_ERR_PROPOSAL_INPUT: 'Change what is asked for. docs/store.md says what each kind of proposal may do.',
  EDW_ERR_PROPOSAL_REASON: 'Give a reason in a sentence, at most 1,000 characters.',
  EDW_ERR_PROPOSAL_TIME: 'Propose again; if it was made just now, set the clock of the machine that proposes.',
  EDW_ERR_PROPOSAL_LIMIT: 'Publish or reject what is open first.',
  EDW_ERR_STORE_OUTDATED: 'Fetch the newest version and trust root, and propose again on top of them.',
  EDW_ERR_STORE_FOLLOW_UP: 'List the open follow-ups with `edgeward store status`, and name one of them.',
} as const;

export function refusal(code: ProposalCode, message: string): EdgewardError {
  return new EdgewardError(code, message, { mend: MENDS[code] });
}

const MAX_REASON = 1_000;

export function requireReason(reason: string, what: string): void {
  if (reason.trim() !== '' && reason.length <= MAX_REASON) return;
  throw refusal('EDW_ERR_PROPOSAL_REASON', `${what}: it has no reason, or a very long one`);
}
