/** What people decide about a roll-out. Whether they may, and whether there is something to decide, is asked behind it. */
import * as z from 'zod';
import { DECISIONS, type Decision, type Rollout } from '../rollout/index.ts';
import { bodyOf } from './request-fields.ts';
import type { Recorded, StoreRoute } from './route.ts';

const decisionSchema = z.strictObject({
  reason: z.string().max(1_000),
  version: z.int().min(1).optional(),
  dryRun: z.boolean().optional(),
});

const SUMMARIES: { [decision in Decision]: string } = {
  halt: 'Stop a roll-out where it is',
  resume: 'Let a roll-out go on that was halted or returned',
  confirm: 'Confirm what is enforced for the first time',
  return: 'Bring points back to the version before',
};

export function rolloutRoutes(rollout: Pick<Rollout, 'decide'>, recorded: Recorded): StoreRoute[] {
  return DECISIONS.map((decision) => ({
    ...{ method: 'POST', path: `/v1/rollout/${decision}`, who: ['publisher', 'approver'], budget: 'requests' },
    action: `rollout.${decision}`,
    handle: recorded(async (request, actor) => {
      const { reason, version, dryRun } = bodyOf(request, decisionSchema);
      const guard = version === undefined ? {} : { version };
      return { json: await rollout.decide(actor, decision, { reason, ...guard, dryRun: dryRun === true }) };
    }),
    doc: {
      summary: SUMMARIES[decision],
      body: '`{reason, version?, dryRun?}`; with `version` only while that one is rolled out.',
      answers: {
        200: 'The roll-out, as in the status.',
        400: 'No reason is given.',
        409: 'There is nothing to decide.',
      },
    },
  }));
}
