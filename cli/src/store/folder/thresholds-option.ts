/** How many have to agree, from the command line. Whether that can be reached is for the trust root to say. */
import type { Thresholds } from '@edgeward/policy-format';
import type { Context, Option } from '../../frame/command.ts';
import { wholeNumber } from '../../frame/option-values.ts';

export const thresholdOptions: Record<string, Option> = {
  approvals: { type: 'string', value: 'N', says: 'Approvers beside the proposer, for a change without a risk: 1.' },
  'approvals-with-risk': { type: 'string', value: 'N', says: 'The same for a change with a risk: 2.' },
  'approvals-of-root': { type: 'string', value: 'N', says: 'Approvers who sign a new trust root: 2.' },
  'break-glass-hours': {
    type: 'string',
    value: 'N',
    says: 'How long one approver alone can open something: 4 at most (default), 0 for never.',
  },
};

/** Throws EDW_ERR_USAGE. */
export function readThresholds(context: Context, command: string): Thresholds {
  const normal = wholeNumber(context, 'approvals', 1, command);
  return {
    normal,
    elevated: wholeNumber(context, 'approvals-with-risk', Math.max(2, normal), command),
    root: wholeNumber(context, 'approvals-of-root', 2, command),
    breakGlassHours: wholeNumber(context, 'break-glass-hours', 4, command),
  };
}
