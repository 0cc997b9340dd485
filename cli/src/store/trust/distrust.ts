/** What a store shows and people did not sign, or not so: nobody signs anything after that. */
import { EdgewardError } from '@edgeward/runtime';

const MENDS = {
  EDW_ERR_STORE_TAMPERED:
    'Do not sign anything. Ask again; if it stays so, tell whoever runs the store: it shows what people did not sign, or something between you changed it.',
  EDW_ERR_STORE_ROLLED_BACK:
    'Do not sign anything. If the store was restored from a backup, and you know so by another way than from it, remove the file that is named here.',
  EDW_ERR_STORE_SIGNER:
    'Sign with a key that the trust root lists as yours, on a connection with your own certificate; else propose a trust root with the new key.',
  EDW_ERR_STORE_OUTDATED: 'Fetch the newest version and trust root, and propose again on top of them.',
  EDW_ERR_PROPOSAL_OWN: 'Let another approver look at it. Nobody approves what is their own.',
  EDW_ERR_PROPOSAL_CLOSED: 'Propose it again, built on what is published now.',
  EDW_ERR_PROPOSAL_TIME:
    'Compare the clock of this machine with that of who proposed, and set what is wrong; then propose again.',
  EDW_ERR_PROPOSAL_DIFFERS:
    'Compute the proposal again from the documents, and do not sign it unless it comes out equal.',
} as const;

export function distrust(code: keyof typeof MENDS, message: string): EdgewardError {
  return new EdgewardError(code, message, { mend: MENDS[code] });
}
