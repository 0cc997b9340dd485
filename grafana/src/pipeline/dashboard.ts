/** The dashboard of the way that denials take: whether all are known, how they arrive, and where copies go. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from '../dashboard.ts';
import { uids } from '../links.ts';
import { pipelineVariables } from '../variables.ts';
import { books } from './books.ts';
import { daemons } from './daemons.ts';
import { forwarders } from './forwarders.ts';
import { listeners, senders, spools } from './senders.ts';
import { sinks } from './sinks.ts';
import { stages } from './stages.ts';

export const pipeline = (): Dashboard =>
  dashboard({
    uid: uids.pipeline,
    title: 'Edgeward / Pipeline',
    description:
      'How denials travel from the points to the ledger and on to its copies: whether all of them are known, how fast, and what was wrong on the way.',
    from: 'now-3h',
    variables: pipelineVariables,
    rows: [books, stages, sinks, daemons, senders, forwarders, listeners, spools],
  });
