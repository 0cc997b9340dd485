/** What people decide about a roll-out. Pure; who may is asked elsewhere. */
import { EdgewardError } from '@edgeward/runtime';
import type { RolloutConfig } from './config.ts';
import { progressOf } from './progress.ts';
import type { Sights } from './sight.ts';
import { type RolloutState, WAY_BACK_IN_WORDS, wayBack } from './state.ts';
import { returned, stopped } from './step.ts';

export type Decision = 'halt' | 'resume' | 'confirm' | 'return';

export const DECISIONS: readonly Decision[] = ['halt', 'resume', 'confirm', 'return'];

export interface Decided {
  by: string;
  reason: string;
  nowMs: number;
  sights: Sights;
  settings: RolloutConfig;
}

/** Throws EDW_ERR_ROLLOUT_STATE, EDW_ERR_ROLLOUT_NO_WAY_BACK. */
export function decided(state: RolloutState, decision: Decision, about: Decided): RolloutState {
  return DECIDE[decision](state, about);
}

const DECIDE: { [decision in Decision]: (state: RolloutState, about: Decided) => RolloutState } = {
  halt(state, { by, reason, nowMs }) {
    if (state.phase.is !== 'rolling') throw notNow(state, 'halting', 'only one that is under way can be halted');
    return stopped(state, { by, why: reason, trouble: [], nowMs });
  },
  /** Whatever is wrong by now has been looked at; what goes wrong elsewhere stops it again. */
  resume(state, { nowMs, sights, settings }) {
    const { phase, confirm } = state;
    if (phase.is !== 'halted' && phase.is !== 'returned')
      throw notNow(state, 'resuming', 'only one that was halted or returned can go on');
    const { trouble, away } = progressOf(state, sights, nowMs, settings);
    const wrong = [...phase.trouble, ...trouble].flatMap(({ point }) => (point === null ? [] : [point]));
    return {
      ...state,
      excused: [...new Set([...state.excused, ...wrong, ...away])].sort(),
      confirm: confirm === null ? null : { ...confirm, dueMs: null },
      phase: { is: 'rolling', wave: phase.is === 'halted' ? phase.wave : -1, sinceMs: nowMs },
    };
  },
  confirm(state, { by }) {
    const { confirm } = state;
    if (state.phase.is !== 'rolling' || confirm === null || confirm.dueMs === null || confirm.by !== null)
      throw notNow(state, 'confirming', 'there is nothing that waits to be confirmed');
    return { ...state, confirm: { ...confirm, by } };
  },
  return(state, { by, reason, nowMs }) {
    if (state.phase.is === 'returned') throw notNow(state, 'returning', 'it was returned already');
    const way = wayBack(state, nowMs);
    if (way.state === 'closed') throw noWayBack(state, WAY_BACK_IN_WORDS[way.why]);
    return returned(state, { by, why: reason, nowMs });
  },
};

function notNow({ version, phase }: RolloutState, doing: string, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_ROLLOUT_STATE', `${doing} version ${version}, which is ${phase.is}: ${why}`, {
    mend: 'Look at `rollout` in the status of the store, and decide on what it says.',
  });
}

function noWayBack({ version }: RolloutState, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_ROLLOUT_NO_WAY_BACK', `returning from version ${version}: ${why}`, {
    mend: 'Propose a restore of the version before. It is a new version, and when it brings back what a halted one came from it goes to all points at once.',
  });
}
