/**
 * A change on its way to the store: computed here on top of what was verified here, shown, signed, sent. What comes back is
 * compared with what was sent.
 */
import { type Bundle, computeApprovalPayload, type PayloadInputs } from '@edgeward/central-store';
import { canonicalJson, digestOf, type SignedDocument, sign } from '@edgeward/policy-format';
import type { Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { usageError } from '../../frame/usage-error.ts';
import type { StoreSession } from '../store-session.ts';
import { distrust } from '../trust/distrust.ts';
import type { Inventory } from '../trust/flow-sides.ts';
import { proposalIdOf } from '../trust/opened-proposal.ts';
import { namesWithRole } from '../trust/signatures.ts';
import { ownKey } from '../trust/signer.ts';
import type { TrustedStore } from '../trust/trusted-store.ts';
import { timeOption } from './change-options.ts';
import { approvalsText, changeText, viewChange } from './change-view.ts';

export interface Submission {
  command: string;
  session: StoreSession;
  trusted: TrustedStore;
  bundle: Bundle;
  inventory: Inventory;
  restored?: boolean;
  /** Said on stderr before everything else, a line each. */
  notes?: string[];
}

/** Throws EDW_ERR_PROPOSAL_…, EDW_ERR_STORE_…, EDW_ERR_USAGE. */
export async function submit(context: Context, submission: Submission): Promise<ExitCode> {
  const { session, trusted, bundle, inventory, command, notes = [] } = submission;
  const { client, person } = session;
  const key = await ownKey(session, [trusted.roots.newest], command);
  for (const note of notes) await context.err.write(`${printable(note)}\n`);
  const computed = computeApprovalPayload(payloadInputs(context, submission));
  const { payload } = computed;
  const digest = digestOf(canonicalJson(payload));
  const dryRun = context.flag('dry-run');
  const approval = await sign(payload, [key]);
  const documents = Buffer.from(bundle.bytes).toString('utf8');
  const answer = await client.propose({ approval, documents, dryRun });
  requireSame(answer.document, approval);
  const from = trusted.inFull;
  const before = trusted.previous?.approved ?? null;
  const view = await viewChange(context, computed, digest, { before, from, after: bundle, inventory });
  const id = proposalIdOf(digest);
  const counts = namesWithRole(trusted.roots.newest, 'approver');
  const isGlass = payload.breakGlass !== null;
  const approvers = isGlass && counts.includes(person) ? [person] : [];
  const missing = counts.filter((name) => name !== person);
  const approvals = { needed: payload.approvals, approvers, missing, proposedBy: person };
  if (context.json) {
    await context.printJson({ proposal: { id, dryRun, ...approvals }, ...view });
    return 0;
  }
  const head = dryRun ? `would propose version ${payload.version}` : `proposed ${id}: version ${payload.version}`;
  await context.out.write(
    `${head}, ${approvalsText(approvals, isGlass)}\n` +
      changeText(view, context.flag('all'), context.paint, context.now()) +
      (dryRun ? '' : nextText(id, approvals)),
  );
  return 0;
}

function nextText(id: string, { needed, approvers }: { needed: number; approvers: string[] }): string {
  const next =
    approvers.length >= needed
      ? `edgeward store publish ${id}`
      : `edgeward store review ${id}   (an approver, on their own machine; then approve, then publish)`;
  return `\nNext: ${next}\n`;
}

const EXPIRES_MS = 86_400_000;
const RETURN_MS = 86_400_000;

function payloadInputs(context: Context, submission: Submission): PayloadInputs {
  const { session, trusted, bundle, inventory, restored, command } = submission;
  const nowMs = context.now();
  const expiresInMs = timeOption(context, 'expires', command) ?? EXPIRES_MS;
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
  const ms = timeOption(context, 'return-for', command, 0) ?? RETURN_MS;
  const before = trusted.previous?.approval ?? null;
  return before === null || before.breakGlass !== null || ms === 0 ? null : ms;
}

function glassDuration(context: Context, command: string): number | null {
  if (!context.flag('break-glass')) return null;
  const ms = timeOption(context, 'for', command);
  if (ms !== undefined) return ms;
  throw usageError('break-glass ends by itself: --for TIME is missing', command, 'Write --break-glass --for 2h.');
}

/** The store keeps what was signed, or says no; anything else is no answer. */
export function requireSame(answered: SignedDocument, sent: SignedDocument): void {
  if (answered.payload === sent.payload) return;
  throw distrust(
    'EDW_ERR_STORE_TAMPERED',
    'reading what the store made of it: it took something else for what was sent',
  );
}
