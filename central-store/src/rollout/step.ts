/**
 * What comes next in a roll-out, from what it is, what points say, and the time. Pure: whoever calls writes down the
 * actions before the new state has any effect. What did not change is the same object.
 */
import type { RolloutConfig } from './config.ts';
import { type Progress, progressOf } from './progress.ts';
import { isHearing, type Sights } from './sight.ts';
import {
  canReturn,
  MAX_TROUBLE,
  type PointPlan,
  type RolloutState,
  type Trouble,
  WAY_BACK_IN_WORDS,
  wayBack,
} from './state.ts';

export interface Step {
  state: RolloutState;
  actions: Action[];
}

/** What goes on the record, in this order. */
export interface Action {
  action: 'rollout.start' | 'rollout.wave' | 'rollout.halt' | 'rollout.return' | 'rollout.done';
  reason: string;
}

/** Who decides when no person does. */
export const STORE = 'store';

/** So that points hear of it in time. */
const RETURN_MARGIN_MS = 60_000;

export function step(state: RolloutState, sights: Sights, nowMs: number, settings: RolloutConfig): Step {
  if (state.phase.is !== 'rolling') return { state, actions: [] };
  const actions: Action[] = [];
  let next = state.phase.wave < 0 ? entered(state, 0, nowMs, sights, actions) : state;
  // At most once a wave: some have nobody in them that there is anything to wait for.
  for (let turns = 0; turns <= state.waves.length; turns += 1) {
    const progress = progressOf(next, sights, nowMs, settings);
    if (progress.trouble.length > 0) return halted(next, progress.trouble, nowMs, settings, actions);
    if (isMissed(next, nowMs)) return halted(next, [unconfirmed(next)], nowMs, settings, actions);
    const after = advanced(next, progress, sights, nowMs, settings, actions);
    if (after === next) break;
    next = after;
    if (next.phase.is !== 'rolling') break;
  }
  return { state: next, actions };
}

function advanced(
  state: RolloutState,
  progress: Progress,
  sights: Sights,
  nowMs: number,
  settings: RolloutConfig,
  actions: Action[],
): RolloutState {
  if (state.phase.is !== 'rolling') return state;
  const { wave } = state.phase;
  const isLast = wave >= state.waves.length - 1;
  if (progress.applying.length > 0) return state;
  const isAlone = progress.away.length > 0 && !isHearing(sights, nowMs);
  if (isAlone) return state;
  if (isLast && state.confirm !== null && state.confirm.dueMs === null) return timed(state, nowMs, settings);
  if (progress.settling.length > 0) return state;
  if (!isLast) return entered(state, wave + 1, nowMs, sights, actions);
  if (state.confirm !== null && state.confirm.by === null) return state;
  actions.push({ action: 'rollout.done', reason: `every point has version ${state.version}` });
  return { ...state, phase: { is: 'done', atMs: nowMs } };
}

/** Points up to this wave get the version. */
function entered(state: RolloutState, wave: number, nowMs: number, sights: Sights, actions: Action[]): RolloutState {
  const points: { [point: string]: PointPlan } = Object.create(null);
  let given = 0;
  for (const [point, plan] of Object.entries(state.points)) {
    const isDue = !plan.gone && plan.wave <= wave && plan.movedMs === null;
    if (isDue) given += 1;
    points[point] = isDue
      ? { ...plan, movedMs: nowMs, deniedPerHour: sights.points.get(point)?.deniedPerHour ?? 0 }
      : plan;
  }
  const title = state.waves[wave] ?? 'all';
  const reason = `wave ${wave + 1} of ${state.waves.length}, ${title}: ${given} points get version ${state.version}`;
  actions.push({ action: 'rollout.wave', reason });
  return { ...state, points, phase: { is: 'rolling', wave, sinceMs: nowMs } };
}

/** From now on a person has so long; never longer than there is a way back. */
function timed(state: RolloutState, nowMs: number, { confirmMinutes }: RolloutConfig): RolloutState {
  if (state.confirm === null) return state;
  const latestMs = (state.returnUntilMs ?? Number.POSITIVE_INFINITY) - RETURN_MARGIN_MS;
  const dueMs = Math.max(nowMs, Math.min(nowMs + confirmMinutes * 60_000, latestMs));
  return { ...state, confirm: { ...state.confirm, dueMs } };
}

function isMissed({ confirm }: RolloutState, nowMs: number): boolean {
  return confirm !== null && confirm.by === null && confirm.dueMs !== null && nowMs > confirm.dueMs;
}

function unconfirmed({ confirm }: RolloutState): Trouble {
  const objects = (confirm?.objects ?? []).slice(0, 5).join(', ');
  return { point: null, kind: 'unconfirmed', message: `nobody confirmed that ${objects} may be enforced` };
}

/** What nobody confirmed goes back whatever `onHalt` says. */
function halted(
  state: RolloutState,
  all: readonly Trouble[],
  nowMs: number,
  settings: RolloutConfig,
  actions: Action[],
): Step {
  if (state.phase.is !== 'rolling') return { state, actions };
  const trouble = all.slice(0, MAX_TROUBLE);
  const why = inWords(all);
  const goesBack = settings.onHalt === 'return' || all.some(({ kind }) => kind === 'unconfirmed');
  const way = wayBack(state, nowMs);
  const stays = goesBack && way.state === 'closed' ? `; points stay, because ${WAY_BACK_IN_WORDS[way.why]}` : '';
  const halt = stopped(state, { by: STORE, why: `${why}${stays}`, trouble, nowMs });
  actions.push({ action: 'rollout.halt', reason: `${why}${stays}` });
  if (!goesBack || way.state === 'closed') return { state: halt, actions };
  actions.push({ action: 'rollout.return', reason: why });
  return { state: returned(halt, { by: STORE, why, nowMs }), actions };
}

function inWords([first, ...others]: readonly Trouble[]): string {
  if (first === undefined) return '';
  const where = first.point === null ? '' : `${first.point}: `;
  return `${where}${first.message}${others.length === 0 ? '' : `; and ${others.length} more`}`;
}

/** Nobody gets the version any more. Of what was done nothing is taken back. */
export function stopped(
  state: RolloutState,
  { by, why, trouble, nowMs }: { by: string; why: string; trouble: Trouble[]; nowMs: number },
): RolloutState {
  const wave = state.phase.is === 'done' ? state.waves.length - 1 : state.phase.wave;
  return { ...state, phase: { is: 'halted', wave, atMs: nowMs, by, why, trouble } };
}

/** Whoever can go back has the version before; whether there is a way was looked at before. */
export function returned(
  state: RolloutState,
  { by, why, nowMs }: { by: string; why: string; nowMs: number },
): RolloutState {
  const points: { [point: string]: PointPlan } = Object.create(null);
  for (const [point, plan] of Object.entries(state.points))
    points[point] = canReturn(state, plan) ? { ...plan, movedMs: null } : plan;
  const { phase, confirm } = state;
  const wave = phase.is === 'done' ? state.waves.length - 1 : phase.wave;
  const trouble = phase.is === 'halted' ? phase.trouble : [];
  return {
    ...state,
    points,
    phase: { is: 'returned', wave, atMs: nowMs, by, why, trouble },
    confirm: confirm === null ? null : { ...confirm, dueMs: null, by: null },
  };
}
