import type { Actor } from '../record/attempt.ts';
import type { ProposalContext } from './context.ts';
import { requireRole } from './people.ts';
import type { FollowUp } from './proposals.ts';
import { refusal, requireReason } from './refusals.ts';
import type { Versions } from './versions.ts';

/** What one person opened in an emergency waits for the others: for a version that they approve, or for their word. */
export function openFollowUps(versions: Versions): FollowUp[] {
  const inFull = versions.newestInFull()?.version ?? 0;
  return versions.all().flatMap(({ version, payload }) => {
    const { breakGlass, proposedBy, reason } = payload;
    if (breakGlass === null || version < inFull || versions.closed(version) !== null) return [];
    return [{ version, endsAt: breakGlass.endsAt, proposedBy, reason }];
  });
}

/** By an approver, and never by who opened it. */
export function requireClosable(context: ProposalContext, actor: Actor, version: number, reason: string): void {
  const what = `closing the follow-up of version ${version}`;
  requireReason(reason, what);
  requireRole(context.roots.newest(), actor, ['approver'], what);
  const open = openFollowUps(context.versions).find((it) => it.version === version);
  if (open === undefined) throw refusal('EDW_ERR_STORE_FOLLOW_UP', `${what}: there is none open`);
  if (open.proposedBy === actor.name) throw refusal('EDW_ERR_PROPOSAL_OWN', `${what}: ${actor.name} opened it`);
}
