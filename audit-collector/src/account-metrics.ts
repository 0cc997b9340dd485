/** What a scrape sees of the books of every point: what is observed less all the others is 0, or somebody has to look. */
import { metricGroup, type Registry } from '@edgeward/runtime';
import type { DenialAccount } from './denial-accounts.ts';
import type { MetricNames } from './metric-names.ts';

/** The answer takes them back out of the registry. */
export function accountMetrics(
  registry: Registry,
  names: Pick<MetricNames, 'point'>,
  accounts: () => readonly DenialAccount[],
): () => void {
  const group = metricGroup(registry);
  const labelled = (): (DenialAccount & { label: string })[] =>
    accounts().map((account) => ({ ...account, label: names.point(account.point) }));
  group.total(
    'edgeward_observed_denials_total',
    'Denials as the point counted them, over all its lives; never less than what is stored and what is a gap.',
    ['point'],
    (say) => {
      for (const { label, observed } of labelled()) say({ point: label }, observed);
    },
  );
  group.gauge(
    'edgeward_gap_denials',
    'Denials without an event, over all lives of a point, by cause; what comes late is taken back from missing.',
    ['point', 'cause'],
    (say) => {
      for (const { label, gaps } of labelled()) for (const [cause, count] of gaps) say({ point: label, cause }, count);
    },
  );
  group.gauge(
    'edgeward_pending_denials',
    'Denials that wait in a log or a spool for the ledger, as far as anybody can tell.',
    ['point'],
    (say) => {
      for (const { label, pending } of labelled()) say({ point: label }, pending);
    },
  );
  return group.close;
}
