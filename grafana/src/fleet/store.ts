/** The central store, where policies come from one. Folded: not everybody has one. */
import { orangeAboveZero, redAboveZero } from '../colours.ts';
import type { Row } from '../dashboard.ts';
import { graph, stat } from '../panels.ts';
import { ofService } from '../selectors.ts';
import { table } from '../tables.ts';
import { labelled, lines, values } from '../targets.ts';

export const store: Row = {
  title: 'The central store',
  folded: true,
  panels: [
    stat({
      title: 'Points behind',
      description: 'Points that are not at what the store has for them.',
      unit: 'none',
      width: 6,
      none: 'no store',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_store_points_behind')})`)],
    }),
    stat({
      title: 'Points that refuse',
      description:
        'Points that refuse the newest that the store has for them. The table below says at which stage and why.',
      unit: 'none',
      width: 6,
      none: '0',
      decimals: 0,
      colours: redAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_store_nacks')})`)],
    }),
    stat({
      title: 'Follow-ups',
      description: 'Break-glass versions that nobody has looked at yet.',
      unit: 'none',
      width: 6,
      none: 'no store',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [values('A', `sum(${ofService('edgeward_store_follow_ups')})`)],
    }),
    stat({
      title: 'Inventory waits',
      description: 'The newest content of the inventory can not be read, or a change of it is held or refused.',
      unit: 'none',
      width: 6,
      none: 'no store',
      decimals: 0,
      colours: orangeAboveZero(),
      targets: [
        values(
          'A',
          `sum(${ofService('edgeward_store_inventory_waiting')}) + sum(${ofService('edgeward_store_inventory_broken')})`,
        ),
      ],
    }),
    table({
      title: 'Roll-out',
      description:
        'The state that the roll-out is in. halted or returned: it stands still until somebody looks. confirming: a first enforcement waits for a person, and goes back without one.',
      unit: 'none',
      width: 8,
      height: 8,
      targets: [labelled('A', `max by (state) (${ofService('edgeward_store_rollout_state')}) == 1`)],
      columns: [
        {
          name: 'state',
          heading: 'State',
          states: {
            none: { text: 'none', color: 'green' },
            done: { text: 'done', color: 'green' },
            rolling: { text: 'rolling', color: 'blue' },
            confirming: { text: 'confirming', color: 'orange' },
            halted: { text: 'halted', color: 'red' },
            returned: { text: 'returned', color: 'red' },
          },
        },
        { name: 'Time', hidden: true },
        { name: 'Value', hidden: true },
      ],
    }),
    graph({
      title: 'Points by state',
      description: 'What services said of their points last. silent: nothing for three minutes.',
      unit: 'none',
      width: 8,
      height: 8,
      stacked: true,
      targets: [lines('A', `sum by (state) (${ofService('edgeward_store_points')})`, '{{state}}')],
    }),
    table({
      title: 'Why points refuse',
      description:
        'By the stage at which a point stopped believing, and the code: docs/errors.md has each with its mend.',
      unit: 'none',
      width: 8,
      height: 8,
      targets: [labelled('A', `sum by (stage, code) (${ofService('edgeward_store_nacks')}) > 0`)],
      columns: [
        { name: 'stage', heading: 'Stage' },
        { name: 'code', heading: 'Code' },
        { name: 'Value', heading: 'Points', width: 100 },
        { name: 'Time', hidden: true },
      ],
    }),
  ],
};
