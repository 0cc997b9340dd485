/**
 * What comes next in a roll-out, from what it is, what points say, and the time. Pure: whoever calls writes down the
 * actions before the new state has any effect. What did not change is the same object.
 */
import { STORE } from '../record/own-names.ts';
import type { RolloutConfig } from './config.ts';
import { type Progress, progressOf } from './progress.ts';
import { isHearing, type Sights } from './sight.ts';
import {
  canReturn,
  type PointPlan,
  RETURN_MARGIN_MS,
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
interface Action {
  action: 'rollout.start' | 'rollout.wave' | 'rollout.halt' | 'rollout.return' | 'rollout.done';
  reason: string;
}

/** In one sentence. */
const MAX_NAMED = 5;

export function step(state: RolloutState, sights: Sights, nowMs: number, settings: RolloutConfig): Step {
  if (state.phase.is === 'returned') return stranded(state, sights, nowMs);
  if (state.phase.is !== 'rolling') return { state, actions: [] };
  const look: Look = { sights, nowMs, settings, actions: [] };
  const { actions } = look;
  let next = state.phase.wave < 0 ? entered(state, 0, look) : state;
  // At most once a wave: some have nobody in them that there is anything to wait for.
  for (let turns = 0; turns <= state.waves.length; turns += 1) {
    const progress = progressOf(next, sights, nowMs, settings);
    if (progress.trouble.length > 0) return { state: halted(next, progress.trouble, look), actions };
    if (isMissed(next, nowMs)) return { state: halted(next, [unconfirmed(next)], look), actions };
    const after = advanced(next, progress, look);
    if (after === next) break;
    next = after;
    if (next.phase.is !== 'rolling') break;
  }
  return { state: next, actions };
}

/**
 * Points that were away during the return, and come back when the way back is over: they believe the version before no
 * more, and would be told nothing at all, revocations included. They keep the version.
 */
function stranded(state: RolloutState, sights: Sights, nowMs: number): Step {
  if (nowMs <= (state.returnUntilMs ?? 0) - RETURN_MARGIN_MS) return { state, actions: [] };
  const names = Object.entries(state.points).flatMap(([point, plan]) => {
    const isLeft = plan.movedMs === null && !plan.gone && plan.from === state.version - 1;
    return isLeft && sights.points.get(point)?.refusesOlder === true ? [point] : [];
  });
  if (names.length === 0) return { state, actions: [] };
  const points = { ...state.points };
  for (const name of names) {
    const plan = points[name];
    if (plan !== undefined) points[name] = { ...plan, movedMs: nowMs };
  }
  const reason = `the way back is over for ${named(names)}: they keep version ${state.version}`;
  return { state: { ...state, points }, actions: [{ action: 'rollout.wave', reason }] };
}

interface Look {
  sights: Sights;
  nowMs: number;
  settings: RolloutConfig;
  /** Taken so far. */
  actions: Action[];
}

function advanced(state: RolloutState, { applying, settling, away }: Progress, look: Look): RolloutState {
  if (state.phase.is !== 'rolling' || applying.length > 0) return state;
  // Nobody is heard: that says something about the store, and nothing about the version.
  if (away.length > 0 && !isHearing(look.sights, look.nowMs)) return state;
  const { wave } = state.phase;
  const isLast = wave >= state.waves.length - 1;
  if (isLast && state.confirm !== null && state.confirm.dueMs === null) return timed(state, look);
  if (settling.length > 0) return state;
  if (!isLast) return entered(state, wave + 1, look, away);
  if (state.confirm !== null && state.confirm.by === null) return state;
  look.actions.push({ action: 'rollout.done', reason: `version ${state.version} is everywhere${awayInWords(away)}` });
  return { ...state, phase: { is: 'done', atMs: look.nowMs } };
}

/** Points up to this wave get the version. */
function entered(state: RolloutState, wave: number, look: Look, away: readonly string[] = []): RolloutState {
  const { sights, nowMs } = look;
  const points: { [point: string]: PointPlan } = Object.create(null);
  let given = 0;
  for (const [point, plan] of Object.entries(state.points)) {
    const isDue = !plan.gone && plan.wave <= wave && plan.movedMs === null;
    if (isDue) given += 1;
    points[point] = isDue
      ? { ...plan, movedMs: nowMs, deniedPerHour: sights.points.get(point)?.deniedPerHour ?? 0 }
      : plan;
  }
  const place = `wave ${wave + 1} of ${state.waves.length}, ${state.waves[wave] ?? 'all'}`;
  const reason = `${place}: ${given} points get version ${state.version}${awayInWords(away)}`;
  look.actions.push({ action: 'rollout.wave', reason });
  return { ...state, points, phase: { is: 'rolling', wave, sinceMs: nowMs } };
}

function awayInWords(away: readonly string[]): string {
  if (away.length === 0) return '';
  return `; away: ${named(away)}`;
}

function named(points: readonly string[]): string {
  const more = points.length > MAX_NAMED ? ` and ${points.length - MAX_NAMED} more` : '';
  return `${points.slice(0, MAX_NAMED).join(', ')}${more}`;
}

/** From now on a person has so long; never longer than there is a way back. */
function timed(state: RolloutState, { nowMs, settings: { confirmMinutes } }: Look): RolloutState {
  if (state.confirm === null) return state;
  const latestMs = (state.returnUntilMs ?? Number.POSITIVE_INFINITY) - RETURN_MARGIN_MS;
  const dueMs = Math.max(nowMs, Math.min(nowMs + confirmMinutes * 60_000, latestMs));
  return { ...state, confirm: { ...state.confirm, dueMs } };
}

function isMissed({ confirm }: RolloutState, nowMs: number): boolean {
  return confirm !== null && confirm.by === null && confirm.dueMs !== null && nowMs > confirm.dueMs;
}

function unconfirmed({ confirm }: RolloutState): Trouble {
  const objects = (confirm?.objects ?? []).slice(0, MAX_NAMED).join(', ');
  return { point: null, kind: 'unconfirmed', message: `nobody confirmed that ${objects} may be enforced` };
}

/** What nobody confirmed goes back whatever `onHalt` says. */
function halted(state: RolloutState, all: readonly Trouble[], { nowMs, settings, actions }: Look): RolloutState {
  const goesBack = settings.onHalt === 'return' || all.some(({ kind }) => kind === 'unconfirmed');
  const way = wayBack(state, nowMs);
  const stays = goesBack && way.state === 'closed' ? `; points stay, because ${WAY_BACK_IN_WORDS[way.why]}` : '';
  const why = `${inWords(all)}${stays}`;
  const halt = stopped(state, { by: STORE, why, trouble: [...all], nowMs });
  actions.push({ action: 'rollout.halt', reason: why });
  if (!goesBack || way.state === 'closed') return halt;
  actions.push({ action: 'rollout.return', reason: why });
  return returned(halt, { by: STORE, why, nowMs });
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
