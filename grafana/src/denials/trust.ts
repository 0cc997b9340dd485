/** Whether the rest of the dashboard can be believed: what points counted, against what the ledger has. */
import { byPoint, newGaps, unaccounted } from '../books.ts';
import { orangeAboveZero, redAboveZero, steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { toObject, toPoint } from '../links.ts';
import { graph, stat } from '../panels.ts';
import { lastProven, proofIs } from '../proofs.ts';
import { grown, ofDenial, ofPoint, ofService, once } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines, values } from '../targets.ts';

const denied = ofDenial('edgeward_denials_total', 'verdict="deny"');
const cutOff = ofPoint('edgeward_newly_denied_total', 'object=~"$object"');
const current = `max by (point) (${ofPoint('edgeward_point_state', 'state="current"')})`;

export const trust: Row = {
  title: 'Can this be believed, and is it bad now?',
  panels: [
    stat({
      title: 'Denials a second',
      description:
        'Refused requests and connections that reached the ledger, now. Would-deny is not in it. If this is high, the next row says why.',
      height: 3,
      unit: 'cps',
      width: 4,
      none: 'none yet',
      decimals: 1,
      colours: steps([10, 'orange'], [100, 'red']),
      targets: [values('A', once('', `rate(${denied}[$__rate_interval])`))],
    }),
    stat({
      title: 'Denied in this range',
      description: 'Denials that reached the ledger in the chosen time range, the first of a kind included.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: '0',
      decimals: 0,
      targets: [values('A', once('', grown(denied)))],
    }),
    stat({
      title: 'Cut off',
      description:
        'Denials of the range of flows that a rule allowed during the last week, by what services compared (500 a second at most). Above 0: a change of policy or labels took something away that was in use. The table below has object and revision.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: '0',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', once('', grown(cutOff), 'point, object'))],
    }),
    stat({
      title: 'New pairs',
      description:
        'Labels and objects, with the port, that were denied for the first time in the range. After a change of policy: whom it cut off. The row below that asks what is new names them.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: '0',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [
        values('A', once('', grown(ofService('edgeward_new_edges_total', 'object=~"$object"')), 'object, env')),
      ],
    }),
    stat({
      title: 'Points not current',
      description:
        'Points that do not hold the policy that they should, whatever the reason. They enforce what they had. The dashboard Fleet names them.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: 'no service',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `count(${current}) - sum(${current})`)],
    }),
    stat({
      title: 'Not enforced',
      description:
        'Objects whose last proof failed: a marked request that must be refused came through the point, or its verdict was wrong. Above 0: traffic may pass that the policy denies. The dashboard Fleet names them; `edgeward status` says what was seen.',
      height: 3,
      unit: 'none',
      width: 4,
      none: 'no proofs',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${proofIs('failed')})`)],
    }),
    stat({
      title: 'Enforced, not logged',
      description:
        'Denials that points counted and that are neither in the ledger, nor a known gap, nor under way. 0 is right. Stays above 0: something loses denials, and the dashboard Pipeline says at which point.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: 'no point',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${unaccounted})`)],
    }),
    stat({
      title: 'New gaps',
      description:
        'Denials of the range that are counted and have no event: lost on the way, suppressed or not sampled. The dashboard Pipeline has the causes.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: 'no point',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', newGaps)],
    }),
    stat({
      title: 'Delay to the ledger',
      description:
        'Nineteen of twenty denials of the range were in the ledger within this time, by the clock of their point.',
      height: 3,
      unit: 's',
      width: 4,
      none: 'no denials',
      decimals: 2,
      colours: steps([10, 'orange'], [60, 'red']),
      targets: [
        values(
          'A',
          `max(histogram_quantile(0.95, sum by (instance, le) (${grown(ofPoint('edgeward_event_delay_seconds_bucket'))})))`,
        ),
      ],
    }),
    stat({
      title: 'Lines not understood',
      description:
        'Lines and messages in the range that could not be read and are no denials in the ledger. A client can not cause one; a newer module or a forged sender can.',
      height: 3,
      unit: 'locale',
      width: 4,
      none: '0',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', once('', grown(ofPoint('edgeward_events_unparsed_total')), 'point, cause'))],
    }),
    stat({
      title: 'Proven',
      description:
        'How long ago the object that waits longest was proven to be enforced, by a marked request through its point. Proofs come once a minute; objects that are not proven at all are beside this.',
      height: 3,
      unit: 's',
      width: 4,
      none: 'no proofs',
      decimals: 0,
      colours: steps([180, 'orange'], [600, 'red']),
      targets: [values('A', `max(time() - ${lastProven})`)],
    }),
    stat({
      title: 'Without proof',
      description:
        'Objects that were never proven, or not lately because nobody answers: their point can not take it, or it is off. That they are enforced is what the point says, and nothing more.',
      height: 3,
      unit: 'none',
      width: 4,
      none: 'no proofs',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', `sum(${proofIs('unproven|stale')})`)],
    }),
    graph({
      title: 'Enforced and logged',
      description:
        'What points counted, and what is in the ledger, would-deny included. Two lines of one point that stay apart: denials are gaps, or missing.',
      unit: 'locale',
      width: 8,
      height: 7,
      targets: [
        lines('A', byPoint('edgeward_observed_denials_total'), 'counted by {{point}}'),
        lines('B', byPoint('edgeward_ledger_denials_total'), 'in the ledger, {{point}}'),
      ],
    }),
    table({
      title: 'Allowed last week, denied now',
      description:
        'Objects that denied flows in the range that a rule allowed during the last week, with the revision that took the newest of them away. docs/metrics.md says what is compared; `edgeward why` of the denial says which rule it was.',
      unit: 'locale',
      width: 8,
      height: 7,
      targets: [
        labelled('denials', `${once('object', grown(cutOff), 'point, object')} > 0`),
        labelled('since', `max by (object) (${ofPoint('edgeward_newly_denied_since_revision', 'object=~"$object"')})`),
      ],
      transformations: joined('object', ['Time', 'Time 1', 'Time 2'], ['object', 'Value #denials', 'Value #since']),
      columns: [
        { name: 'object', heading: 'Object', links: [toObject] },
        { name: 'Value #denials', heading: 'Cut off', colours: redAboveZero() },
        { name: 'Value #since', heading: 'Since revision', unit: 'none' },
      ],
    }),
    table({
      title: 'Alerts that fire',
      description:
        'Alerts of Edgeward that Prometheus says are firing now. Empty where its rules are not loaded: see docs/alerts.md for them, and for what to do.',
      unit: 'short',
      width: 8,
      height: 7,
      targets: [labelled('A', 'ALERTS{alertstate="firing", alertname=~"Edgeward.+"}')],
      columns: [
        { name: 'alertname', heading: 'Alert' },
        {
          name: 'severity',
          heading: 'Severity',
          width: 100,
          states: {
            critical: { text: 'critical', color: 'red' },
            warning: { text: 'warning', color: 'orange' },
            info: { text: 'info', color: 'blue' },
          },
        },
        { name: 'point', heading: 'Point', links: [toPoint] },
        { name: 'instance', heading: 'Daemon' },
        ...['Time', 'Value', '__name__', 'alertstate', 'job'].map((name) => ({ name, hidden: true })),
      ],
    }),
  ],
};
