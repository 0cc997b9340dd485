/** What comes over the network: batches, the listeners for BIG-IP, the spools of hosts. Folded: not everybody has them. */

import { redAboveZero, steps } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph } from '../panels.ts';
import { ofPoint, ofService } from '../selectors.ts';
import { joined, table } from '../tables.ts';
import { labelled, lines } from '../targets.ts';

const sum = (name: string): string => `sum by (point) (${ofPoint(name)})`;
const rate = (by: string, name: string): string => `sum by (${by}) (rate(${ofPoint(name)}[$__rate_interval]))`;

const bySender = (name: string): string => `max by (sender) (${ofService(name)})`;
const batchRate = (by: string, name: string): string => `sum by (${by}) (rate(${ofService(name)}[$__rate_interval]))`;

export const senders: Row = {
  title: 'Forwarders and services that send batches',
  folded: true,
  panels: [
    table({
      title: 'Every sender',
      description:
        'Who may send batches, as it said when it was last heard: records that wait, bytes of its log that it has not read, denials that it could keep nowhere, and how far its clock is ahead. Not heard of for minutes: it is gone, or the way is; what it has waits with it.',
      unit: 'locale',
      width: 24,
      height: 7,
      targets: [
        labelled(
          'heard',
          `max by (sender) (time() - (${ofService('edgeward_sender_last_heard_timestamp_seconds')} > 0))`,
        ),
        labelled('waiting', bySender('edgeward_sender_waiting_records')),
        labelled('unread', bySender('edgeward_sender_unread_bytes')),
        labelled('shed', bySender('edgeward_sender_shed_denials')),
        labelled('skew', bySender('edgeward_sender_clock_skew_seconds')),
      ],
      transformations: joined(
        'sender',
        ['Time', ...[1, 2, 3, 4, 5].map((index) => `Time ${index}`)],
        ['sender', 'Value #heard', 'Value #waiting', 'Value #unread', 'Value #shed', 'Value #skew'],
      ),
      sortBy: { column: 'Heard of', descending: true },
      columns: [
        { name: 'sender', heading: 'Sender' },
        { name: 'Value #heard', heading: 'Heard of', unit: 's', colours: steps([60, 'orange'], [180, 'red']) },
        { name: 'Value #waiting', heading: 'Records that wait' },
        { name: 'Value #unread', heading: 'Log not read', unit: 'bytes' },
        { name: 'Value #shed', heading: 'Kept nowhere', colours: redAboveZero() },
        { name: 'Value #skew', heading: 'Clock ahead by', unit: 's' },
      ],
    }),
    graph({
      title: 'Batches taken a second',
      description: 'Batches that were stored and acknowledged.',
      unit: 'cps',
      width: 12,
      height: 7,
      targets: [lines('A', batchRate('sender', 'edgeward_batches_taken_total'), '{{sender}}')],
    }),
    graph({
      title: 'Batches put off and refused a second',
      description:
        'Put off: the sender brings more than was agreed, and keeps them. Refused, by code: docs/errors.md has each with its mend. No sender: nobody who may send.',
      unit: 'cps',
      width: 12,
      height: 7,
      targets: [
        lines('A', batchRate('sender', 'edgeward_batches_deferred_total'), '{{sender}} put off'),
        lines('B', batchRate('sender, code', 'edgeward_batches_refused_total'), '{{sender}} {{code}}'),
        lines(
          'C',
          batchRate('instance', 'edgeward_batch_handshakes_failed_total'),
          'no good certificate at {{instance}}',
        ),
      ],
    }),
  ],
};

export const listeners: Row = {
  title: 'What BIG-IPs send',
  folded: true,
  panels: [
    graph({
      title: 'Connections',
      description: 'Connections to the listener of each point. 0: nothing of it can arrive; its verdicts stand.',
      unit: 'none',
      width: 8,
      height: 7,
      targets: [lines('A', sum('edgeward_syslog_connections'), '{{point}}')],
    }),
    graph({
      title: 'Messages in memory',
      description:
        'Messages that wait for the ledger. At its limit the listener stops reading: the sender is held up, never traffic.',
      unit: 'none',
      width: 8,
      height: 7,
      targets: [lines('A', sum('edgeward_syslog_waiting_messages'), '{{point}}')],
    }),
    graph({
      title: 'Turned away',
      description:
        'Connections a second that were not taken (peer, limit, tls) or closed as overdue (idle, slow), and messages that were in memory when the collector ended.',
      unit: 'cps',
      width: 8,
      height: 7,
      targets: [
        lines('A', rate('point, cause', 'edgeward_syslog_refused_total'), '{{point}} refused: {{cause}}'),
        lines('B', rate('point, cause', 'edgeward_syslog_closed_total'), '{{point}} closed: {{cause}}'),
        lines('C', rate('point', 'edgeward_syslog_dropped_total'), '{{point}} dropped'),
      ],
    }),
  ],
};

export const spools: Row = {
  title: 'Spools of hosts',
  folded: true,
  panels: [
    graph({
      title: 'Records that wait at hosts',
      description:
        'Records in the spool of each host, as it reported. Climbs: the service does not take them, or there are very many.',
      unit: 'none',
      width: 8,
      height: 7,
      targets: [lines('A', sum('edgeward_host_spool_records'), '{{point}}')],
    }),
    graph({
      title: 'Told to come back later',
      description: 'Batches a second of hosts that bring more than `hosts.denialsPerSecond`. They wait at the host.',
      unit: 'cps',
      width: 8,
      height: 7,
      targets: [lines('A', rate('point', 'edgeward_host_denials_deferred_total'), '{{point}}')],
    }),
    graph({
      title: 'Dropped by the kernel',
      description: 'Samples a second that the kernel of a host had no room for. What they were samples of is counted.',
      unit: 'cps',
      width: 8,
      height: 7,
      targets: [lines('A', rate('point', 'edgeward_host_netlink_drops_total'), '{{point}}')],
    }),
  ],
};
