/** The store as this machine believes it, for a command: with what the command line confirms. */
import { isDigest } from '@edgeward/policy-format';
import type { Context } from '../../frame/command.ts';
import { usageError } from '../../frame/usage-error.ts';
import type { StoreSession } from '../store-session.ts';
import { openTrusted, type TrustedStore } from '../trust/trusted-store.ts';

/** Throws EDW_ERR_USAGE, and what `openTrusted` throws. */
export async function openStore(context: Context, session: StoreSession, command: string): Promise<TrustedStore> {
  const confirmed = context.text('confirm-version') ?? null;
  if (confirmed !== null && !isDigest(confirmed))
    throw usageError(`--confirm-version: '${confirmed}' is no digest`, command, 'Give all 64 digits of the payload.');
  return await openTrusted(session.client, session.profile.rootFile, { confirmed, nowMs: context.now() });
}
