/**
 * The agent's state as a value. Pure: what follows after what is said here, and what is written is decided elsewhere.
 */
import type { PolicyFloor } from '../protocol/index.ts';

/** A policy as it is kept: by what was signed. */
export interface PolicyRef {
  revision: number;
  /** Of the policy as it was served. */
  hash: string;
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
  next: PolicyRef | null;
  /** Whether the service can be reached under `current` is not yet seen; with what was in force before. */
  probation: Probation | null;
  /** Not applied again before a newer revision. */
  rolledBack: (PolicyRef & { code: string; message: string }) | null;
  /**
   * What went back in the kernel keeps the number of what it replaced, as the driver takes no lower one: policies are
   * applied under this number or their own, whichever is higher.
   */
  numberAtLeast: number;
}

interface Probation {
  /** Null: there was none. */
  previous: PolicyRef | null;
  previousForm: 'served' | 'observe';
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

export function samePolicy(a: PolicyRef | null, b: PolicyRef | null): boolean {
  return a?.revision === b?.revision && a?.hash === b?.hash;
}

/** Throws for what this version did not write. */
export function agentStateOf(value: unknown): AgentState {
  if (!isRecord(value) || value.v !== 1) throw new Error('it is no state of an agent');
  const form = formOf(value.form);
  const probation = isRecord(value.probation)
    ? { previous: refOf(value.probation.previous), previousForm: formOf(value.probation.previousForm) }
    : null;
  return {
    v: 1,
    floor: floorOf(value.floor),
    current: refOf(value.current),
    form,
    next: refOf(value.next),
    probation,
    rolledBack: rolledBackOf(value.rolledBack),
    numberAtLeast: countOf(value.numberAtLeast),
  };
}

function refOf(value: unknown): PolicyRef | null {
  if (value === null) return null;
  if (!isRecord(value) || typeof value.hash !== 'string' || !/^[0-9a-f]{64}$/.test(value.hash))
    throw new Error('it names a policy without a hash');
  return { revision: countOf(value.revision), hash: value.hash };
}

function floorOf(value: unknown): PolicyFloor | null {
  const ref = refOf(value);
  if (ref === null || !isRecord(value) || typeof value.issuedAt !== 'string') return ref;
  return { ...ref, issuedAt: value.issuedAt };
}

function rolledBackOf(value: unknown): AgentState['rolledBack'] {
  const ref = refOf(value);
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
