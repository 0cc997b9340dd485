/**
 * The agent's state as a value. Pure: what follows after what is said here, and what is written is decided elsewhere.
 */
import type { PolicyFloor } from '../protocol/index.ts';

/** A policy as it is kept: by what was signed. */
export interface PolicyRef {
  revision: number;
  /** Of the policy as it was served. */
  hash: string;
  /** This host verified people's approvals of it. */
  approved?: true;
}

export interface AgentState {
  v: 1;
  /** Nothing below is believed. */
  floor: PolicyFloor | null;
  /** In force as far as this file knows; applied at the start. */
  current: PolicyRef | null;
  /** `observe`: enforcing it was refused. */
  form: 'served' | 'observe';
  /** Being taken over: the kernel says how far that came. */
  next: Begun | null;
  /** Whether the service can be reached under `current` is not yet seen; with what was in force before. */
  probation: Trial | null;
  /** Not applied again before a newer revision. */
  rolledBack: (PolicyRef & { code: string; message: string }) | null;
  /**
   * What went back in the kernel keeps the number of what it replaced, as the driver takes no lower one: policies are
   * applied under this number or their own, whichever is higher.
   */
  numberAtLeast: number;
}

/** Decided before anything is written: afterwards the kernel says only that it was begun, and no more what it was before. */
interface Begun extends PolicyRef {
  /** What it changes goes back unless the service is reached under it. */
  tried: boolean;
}

export interface Trial {
  /** Null: there was none. */
  previous: PolicyRef | null;
  previousForm: 'served' | 'observe';
  /** Of this agent since it began, none of which came to its end. */
  starts: number;
}

export const NO_STATE: AgentState = {
  v: 1,
  floor: null,
  current: null,
  form: 'served',
  next: null,
  probation: null,
  rolledBack: null,
  numberAtLeast: 0,
};

/** Of what may say more. */
export function refOf({ revision, hash, approved }: PolicyRef): PolicyRef {
  return approved ? { revision, hash, approved } : { revision, hash };
}

export function samePolicy(a: PolicyRef | null, b: PolicyRef | null): boolean {
  return a?.revision === b?.revision && a?.hash === b?.hash;
}

/**
 * Under what is put in force now: changes in a row are one trial, which goes back to what was in force when the service was
 * reached last.
 */
export function trialOf({ probation, current, form }: AgentState, isTried: boolean): Trial | null {
  return probation ?? (isTried ? { previous: current, previousForm: form, starts: 0 } : null);
}

/** This one, or one before it of the same content, was gone back from. */
export function wentBackFrom({ rolledBack: gone }: AgentState, { hash, revision }: PolicyRef): boolean {
  return gone !== null && gone.hash === hash && gone.revision >= revision;
}

/**
 * Back to what was in force before the trial, under a number that the kernel takes; `gone` is not applied again. What was being
 * taken over meanwhile is not either, and is offered again.
 */
export function wentBack(
  state: AgentState,
  gone: NonNullable<AgentState['rolledBack']>,
  numberAtLeast: number,
): AgentState {
  const { previous, previousForm } = state.probation ?? { previous: null, previousForm: 'served' };
  return {
    ...{ ...state, current: previous, form: previousForm, next: null, probation: null },
    ...{ rolledBack: gone, numberAtLeast },
  };
}

/** Throws for what this version did not write. */
export function agentStateOf(value: unknown): AgentState {
  if (!isRecord(value) || value.v !== 1) throw new Error('it is no state of an agent');
  const form = formOf(value.form);
  return {
    v: 1,
    floor: floorOf(value.floor),
    current: parsedRef(value.current),
    form,
    next: begunOf(value.next),
    probation: isRecord(value.probation) ? probationOf(value.probation) : null,
    rolledBack: rolledBackOf(value.rolledBack),
    numberAtLeast: countOf(value.numberAtLeast),
  };
}

function parsedRef(value: unknown): PolicyRef | null {
  if (value === null) return null;
  if (!isRecord(value) || typeof value.hash !== 'string' || !/^[0-9a-f]{64}$/.test(value.hash))
    throw new Error('it names a policy without a hash');
  const ref = { revision: countOf(value.revision), hash: value.hash };
  return value.approved === true ? { ...ref, approved: true } : ref;
}

function floorOf(value: unknown): PolicyFloor | null {
  const ref = parsedRef(value);
  if (ref === null || !isRecord(value) || typeof value.issuedAt !== 'string') return ref;
  return { ...ref, issuedAt: value.issuedAt };
}

/** Earlier versions wrote nothing of a trial, and count as if there were none. */
function begunOf(value: unknown): Begun | null {
  const ref = parsedRef(value);
  return ref === null || !isRecord(value) ? null : { ...ref, tried: value.tried === true };
}

/** Earlier versions counted no starts. */
function probationOf({ previous, previousForm, starts = 0 }: Record<string, unknown>): Trial {
  return { previous: parsedRef(previous), previousForm: formOf(previousForm), starts: countOf(starts) };
}

function rolledBackOf(value: unknown): AgentState['rolledBack'] {
  const ref = parsedRef(value);
  if (ref === null || !isRecord(value)) return null;
  const { code, message } = value;
  if (typeof code !== 'string' || typeof message !== 'string') throw new Error('it went back without saying why');
  return { ...ref, code, message };
}

function formOf(value: unknown): AgentState['form'] {
  if (value === 'served' || value === 'observe') return value;
  throw new Error('it names a form that does not exist');
}

function countOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error('it has a number that is none');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
