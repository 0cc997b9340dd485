/** Whether all that points denied is known: the books of every point. */
import { byPoint, newGaps, unaccounted } from '../books.ts';
import { orangeAboveZero, redAboveZero } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph, stat } from '../panels.ts';
import { ofPoint, ofService } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines, values } from '../targets.ts';

export const books: Row = {
  title: 'Does everything add up?',
  panels: [
    stat({
      title: 'Nowhere',
      description:
        'Denials that points counted and that are neither stored, nor a known gap, nor under way. 0 is right; a few for seconds after a denial. Stays above 0: something loses denials, see the table.',
      unit: 'locale',
      width: 4,
      none: 'no point',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${unaccounted})`)],
    }),
    stat({
      title: 'New gaps',
      description: 'Denials of the range that are counted and have no event. The graph of gaps has the causes.',
      unit: 'locale',
      width: 4,
      none: 'no point',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', newGaps)],
    }),
    stat({
      title: 'Under way',
      description: 'Denials that wait in a log or a spool for the ledger, as far as anybody can tell.',
      unit: 'locale',
      width: 4,
      none: 'no point',
      decimals: 0,
      targets: [values('A', `sum(${byPoint('edgeward_pending_denials')})`)],
    }),
    stat({
      title: 'Ledgers that fail',
      description:
        'Daemons whose ledger does not do what is asked of it: a full disk, a database that is away. Denials wait where they are.',
      unit: 'none',
      width: 4,
      none: 'no ledger',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_ledger_failing')})`)],
    }),
    stat({
      title: 'Logs that are not read',
      description: 'Deny logs that are there and can not be read: rights, mostly. `edgeward status` says why.',
      unit: 'none',
      width: 4,
      none: 'no log',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofPoint('edgeward_deny_log_unreadable')})`)],
    }),
    stat({
      title: 'Names folded',
      description:
        'Times that a name was counted as `other`, because a metric has two thousand of them. The ledger has them all.',
      unit: 'locale',
      width: 4,
      none: '0',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', `sum(increase(${ofService('edgeward_metric_names_folded_total')}[$__range]))`)],
    }),
    table({
      title: 'The books of every point',
      description:
        'observed = stored + gaps + under way, over all lives of a point. Nowhere is what is left over: 0, or somebody has to look. Points that are not counted for themselves (a BIG-IP, by its numbers) are right by construction.',
      unit: 'locale',
      width: 24,
      height: 9,
      targets: [
        labelled('observed', byPoint('edgeward_observed_denials_total')),
        labelled('stored', byPoint('edgeward_ledger_denials_total')),
        labelled('gaps', byPoint('edgeward_gap_denials')),
        labelled('pending', byPoint('edgeward_pending_denials')),
        labelled('nowhere', unaccounted),
      ],
      transformations: joined(
        'point',
        ['Time', ...[1, 2, 3, 4, 5].map((index) => `Time ${index}`)],
        ['point', 'Value #observed', 'Value #stored', 'Value #gaps', 'Value #pending', 'Value #nowhere'],
      ),
      sortBy: { column: 'Nowhere', descending: true },
      columns: [
        { name: 'point', heading: 'Point' },
        { name: 'Value #observed', heading: 'Observed' },
        { name: 'Value #stored', heading: 'Stored' },
        { name: 'Value #gaps', heading: 'Gaps', colours: orangeAboveZero() },
        { name: 'Value #pending', heading: 'Under way' },
        { name: 'Value #nowhere', heading: 'Nowhere', colours: redAboveZero() },
      ],
    }),
    graph({
      title: 'Gaps, by cause',
      description:
        'Denials without an event, over all lives. missing: sent and never came. suppressed: a BIG-IP denied faster than it may send. not-sampled: very many equal ones at a host. spool-full: the service was away for too long. unlogged: an NGINX counted them and there is no line of them. unparsed, unwritten: see below.',
      unit: 'locale',
      width: 12,
      height: 8,
      targets: [lines('A', `max by (point, cause) (${ofPoint('edgeward_gap_denials')})`, '{{point}} {{cause}}')],
    }),
    graph({
      title: 'Under way, by point',
      description:
        'Denials that wait for the ledger. A hill is a flood or a short absence; a line that climbs is a ledger or a way that is gone.',
      unit: 'locale',
      width: 12,
      height: 8,
      targets: [lines('A', byPoint('edgeward_pending_denials'), '{{point}}')],
    }),
  ],
};
