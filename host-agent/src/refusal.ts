/** What a report says of what was not done: why, and whether offering it again could change that. Pure. */
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { HostNack, HostReport } from '../protocol/index.ts';
import type { AgentState } from './agent-state.ts';

const MAX_MESSAGE = 1_500;

/** Offering it again changes nothing. */
const FINAL: ReadonlySet<string> = new Set([
  'EDW_ERR_HOST_POLICY_UNREADABLE',
  'EDW_ERR_HOST_POLICY_SIGNATURE',
  'EDW_ERR_HOST_POLICY_AUDIENCE',
  'EDW_ERR_HOST_POLICY_OLDER',
  'EDW_ERR_HOST_NO_OBJECT',
  'EDW_ERR_HOST_OBJECTS',
  'EDW_ERR_HOST_MARK',
  'EDW_ERR_HOST_CAPACITY',
]);

export function isFinal(thrown: unknown): boolean {
  return thrown instanceof EdgewardError && FINAL.has(thrown.code);
}

export function nackOf(thrown: unknown, revision: number): HostNack {
  const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
  return { revision, code, message: messageOf(thrown).slice(0, MAX_MESSAGE) };
}

/** Of what went back before this agent began. */
export function nackOfState({ rolledBack }: AgentState): HostNack | null {
  if (rolledBack === null) return null;
  const { revision, code, message } = rolledBack;
  return { revision, code, message };
}

/** `why` goes on with how long it was tried, or how often. */
export function rolledBack(revision: number, why: string): HostNack {
  const message = `revision ${revision} changed rules, and then the sync service could not be reached ${why}`;
  return { revision, code: 'EDW_ERR_HOST_ROLLED_BACK', message: message.slice(0, MAX_MESSAGE) };
}

/** `stands`: a policy does, whether this host's state knows of it or not. */
export function reportedState(state: AgentState, refusal: HostNack | null, stands: boolean): HostReport['state'] {
  if (state.rolledBack !== null) return 'rolled-back';
  if (stands && state.form === 'observe' && state.current !== null) return 'observed';
  if (refusal !== null) return 'refused';
  return stands ? 'applied' : 'no-policy';
}

/** A document that was lost, or read while it was written, must not open a host that is enforced. */
export function noObject(point: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_HOST_NO_OBJECT',
    `the newest policy protects nothing at ${point}, which is enforced`,
    {
      mend: 'Put back the Workload document that names this point. To end protection write `mode: off` into it, or run `edgeward agent remove` here.',
    },
  );
}
