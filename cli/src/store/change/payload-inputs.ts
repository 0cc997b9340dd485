/** What a proposal asks for beside its documents: how long it waits, how long glass is broken, how long there is a way back. */
import type { PayloadInputs } from '@edgeward/central-store';
import type { Context } from '../../frame/command.ts';
import { durationOption } from '../../frame/option-values.ts';
import { usageError } from '../../frame/usage-error.ts';
import type { Submission } from './submission.ts';

const EXPIRES_MS = 86_400_000;
const RETURN_MS = 86_400_000;

/** Throws EDW_ERR_USAGE. */
export function payloadInputs(context: Context, submission: Submission): PayloadInputs {
  const { session, trusted, bundle, inventory, restored, command } = submission;
  const nowMs = context.now();
  const expiresInMs = durationOption(context, 'expires', command, 1) ?? EXPIRES_MS;
  const glassMs = glassDuration(context, command);
  const returnMs = glassMs === null ? returnDuration(context, submission) : null;
  return {
    bundle,
    previous: trusted.previous,
    root: trusted.roots.newest,
    proposedBy: session.person,
    reason: context.required('reason'),
    nowMs,
    inventory: inventory.documents,
    expiresInMs,
    ...(restored === undefined ? {} : { restored }),
    ...(glassMs === null ? {} : { breakGlass: { endsAtMs: nowMs + glassMs } }),
    ...(returnMs === null ? {} : { returnUntilMs: nowMs + expiresInMs + returnMs }),
  };
}

/** Counted from when it would expire: how long it waits for signatures should not eat up the way back. */
function returnDuration(context: Context, { trusted, command }: Submission): number | null {
  const ms = durationOption(context, 'return-for', command) ?? RETURN_MS;
  const before = trusted.previous?.approval ?? null;
  return before === null || before.breakGlass !== null || ms === 0 ? null : ms;
}

function glassDuration(context: Context, command: string): number | null {
  const ms = durationOption(context, 'for', command, 1);
  if (!context.flag('break-glass')) {
    if (ms === undefined || command === 'store grant') return null;
    throw usageError('--for says how long break-glass lasts', command, 'Add --break-glass, or leave --for out.');
  }
  if (ms !== undefined) return ms;
  throw usageError('break-glass ends by itself: --for TIME is missing', command, 'Write --break-glass --for 2h.');
}
