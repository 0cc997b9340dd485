/** Where the reference of a 403 leads: the event as it was, and how the same flow would be judged now, where that is known. */
import type { Explanation } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { DenyEvent } from '../deny-event.ts';
import type { StoredDenial } from '../ledger/ledger.ts';
import { type FlatDenial, flat } from './flat-denial.ts';
import type { DenialReader } from './reader.ts';

export interface WhyAnswer {
  event: FlatDenial;
  nearestRule: string | null;
  missed: string | null;
  judgedAt: number;
  now: Explanation | null;
}

/** How the flow of an event is judged by the policy in force. Given in by whoever holds one; null: nobody can say. */
export type Explain = (event: DenyEvent) => Explanation | null;

/** Throws EDW_ERR_UNKNOWN_REFERENCE. */
export async function whyAnswer(ledger: DenialReader, explain: Explain, ref: string): Promise<WhyAnswer> {
  const denial = await denialAt(ledger, ref);
  if (denial === null) throw unknownReference(ref);
  const { event } = denial;
  const { nearestRule, missed, revision: judgedAt } = event;
  // What was cut off may have been what was wrong with it: half a request is not judged.
  const now = event.truncated ? null : explain(event);
  return { event: flat(denial), nearestRule, missed, judgedAt, now };
}

/** `@7` is the event with this id: of a packet that was dropped nobody was shown a reference. */
function denialAt(ledger: DenialReader, ref: string): Promise<StoredDenial | null> {
  return /^@\d{1,15}$/.test(ref) ? ledger.byId(Number(ref.slice(1))) : ledger.byRef(ref);
}

const unknownReference = (ref: string): EdgewardError =>
  new EdgewardError(
    'EDW_ERR_UNKNOWN_REFERENCE',
    `no denial with the reference ${JSON.stringify(ref)} is in the ledger`,
    {
      mend: 'Copy the whole reference from the 403, or from `edgeward denials`; a denial of the last second may still be on its way.',
    },
  );
