/** The dashboard that an operator has open all day: can it be believed, what is denied, who, since when, and each denial. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from '../dashboard.ts';
import { loki, postgres, prometheus } from '../data-sources.ts';
import { uids } from '../links.ts';
import { dataSourceChoice, denialVariables } from '../variables.ts';
import { cause } from './cause.ts';
import { logLines } from './log-lines.ts';
import { map } from './map.ts';
import { newEdges } from './new-edges.ts';
import { records } from './records.ts';
import { trust } from './trust.ts';
import { what } from './what.ts';

export const denials = (): Dashboard =>
  dashboard({
    uid: uids.denials,
    title: 'Edgeward / Denials',
    description:
      'What Edgeward denies: whether all of it is known, what and where, who is cut off and what they lack, what is new, and each denial.',
    from: 'now-1h',
    variables: [dataSourceChoice(prometheus), dataSourceChoice(postgres), dataSourceChoice(loki), ...denialVariables],
    rows: [trust, what, cause, newEdges, map, records, logLines],
  });
