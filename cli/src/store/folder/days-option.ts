/** `--days`: how long a certificate is good. */
import type { Context, Option } from '../../frame/command.ts';
import { wholeNumber } from '../../frame/option-values.ts';

export const daysOption: Option = {
  type: 'string',
  value: 'N',
  says: 'How long the certificate is good: 365; issue it again before that.',
};

/** Whether so many days are possible is the authority's to say. Throws EDW_ERR_USAGE. */
export function readDays(context: Context, command: string): number {
  return wholeNumber(context, 'days', 365, command);
}
