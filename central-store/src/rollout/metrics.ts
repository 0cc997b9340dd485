/** What a roll-out counts. Gauges are read when they are scraped. */
import { Counter, type Registry, scrapedGauge } from '@edgeward/runtime';
import type { Trouble } from './state.ts';
import type { RolloutStatus } from './status.ts';

export interface RolloutMetrics {
  halted(kind: Trouble['kind'] | 'person'): void;
}

const STATES: readonly RolloutStatus['state'][] = ['none', 'rolling', 'confirming', 'halted', 'returned', 'done'];

export function rolloutMetrics(registry: Registry, status: () => RolloutStatus): RolloutMetrics {
  scrapedGauge(
    registry,
    {
      name: 'edgeward_store_rollout_state',
      help: '1 for the state that the roll-out is in.',
      labelNames: ['state'],
    },
    (it) => {
      const { state } = status();
      for (const each of STATES) it.set({ state: each }, each === state ? 1 : 0);
    },
  );
  scrapedGauge(
    registry,
    { name: 'edgeward_store_rollout_version', help: 'Version that is or was rolled out last.' },
    (it) => it.set(status().version ?? 0),
  );
  scrapedGauge(
    registry,
    {
      name: 'edgeward_store_rollout_points',
      help: 'Points by the wave that adds them and what they are at.',
      labelNames: ['wave', 'state'],
    },
    (it) => {
      status().waves.forEach(({ counts }, index) => {
        for (const [state, count] of Object.entries(counts)) it.set({ wave: String(index + 1), state }, count);
      });
    },
  );
  const halts = new Counter({
    name: 'edgeward_store_rollout_halts_total',
    help: 'Roll-outs that were halted, by what was wrong.',
    labelNames: ['kind'],
    registers: [registry],
  });
  return { halted: (kind) => halts.inc({ kind }) };
}
