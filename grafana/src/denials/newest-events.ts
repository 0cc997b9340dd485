/** Single events, for what no rollup knows. Bounded, so that a panel answers soon however much there was. */
import { chosen } from '../selectors.ts';

const most = 100_000;

/** Of what is chosen at the top, to select from. */
export const newestEvents: string = `(
  SELECT * FROM edgeward.denial_events
  WHERE $__timeFilter(time) AND verdict = \${verdict:sqlstring} AND ${chosen('point', 'object', 'reason')}
  ORDER BY time DESC LIMIT ${most}
) AS newest`;

export const bounded: string = `From single events, the newest ${most.toLocaleString('en-US')} of the range.`;
