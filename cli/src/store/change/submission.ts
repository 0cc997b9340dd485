/**
 * A change on its way to the store: computed here on top of what was verified here, shown, signed, sent. What comes back is
 * compared with what was sent.
 */
import { type Bundle, type ComputedPayload, computeApprovalPayload } from '@edgeward/central-store';
import {
  type Approval,
  canonicalJson,
  digestOf,
  type SignedDocument,
  type SigningKey,
  sign,
} from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
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
import { approvalsText, type ChangeView, changeText, viewChange } from './change-view.ts';
import { type Ground, groundOf, isSettled, requireGround } from './glass-ground.ts';
import { payloadInputs } from './payload-inputs.ts';

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
  const { session, trusted, notes = [] } = submission;
  const key = await ownKey(session, [trusted.roots.newest], submission.command);
  const ground = await groundUnder(context, submission);
  for (const note of notes) await context.err.write(`${printable(note)}\n`);
  const sent = await sendSaying(context, submission, key, ground);
  const approvals = approvalsOf(submission, sent.computed.payload);
  const dryRun = context.flag('dry-run');
  const id = proposalIdOf(sent.view.digest);
  if (context.json) await context.printJson({ proposal: { id, dryRun, ...approvals }, ...sent.view });
  else await context.out.write(submittedText(context, id, sent, approvals));
  return 0;
}

/** Null unless glass is broken. Throws EDW_ERR_ROLLOUT_STATE, EDW_ERR_USAGE. */
async function groundUnder(context: Context, { command, session, trusted }: Submission): Promise<Ground | null> {
  if (!context.flag('break-glass')) {
    if (context.text('on-top-of') === undefined) return null;
    throw usageError('--on-top-of says what break-glass stands on', command, 'Add --break-glass, or leave it out.');
  }
  // Without a version there is no break-glass; that is said where the payload is computed.
  if (trusted.inFull === null) return null;
  const ground = await groundOf(session.client, trusted.inFull);
  requireGround(context, ground, command);
  return ground;
}

interface Sent {
  computed: ComputedPayload;
  view: ChangeView;
}

/**
 * Documents that some older version had bring back what was closed since. The store knows them all, and takes them only from
 * who says so: then it is said, and costs the approvals that a risk does.
 */
async function sendSaying(
  context: Context,
  submission: Submission,
  key: SigningKey,
  ground: Ground | null,
): Promise<Sent> {
  try {
    return await send(context, submission, key, ground);
  } catch (thrown) {
    const isOld = thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_PROPOSAL_DIFFERS';
    if (!isOld || submission.restored === true || submission.trusted.previous === null) throw thrown;
    await context.err.write('note: an older version had these documents: that counts as a risk\n');
    return await send(context, { ...submission, restored: true }, key, ground);
  }
}

/** Looked at before it is sent: what can not be shown is not proposed. */
async function send(context: Context, submission: Submission, key: SigningKey, ground: Ground | null): Promise<Sent> {
  const { session, trusted, bundle, inventory } = submission;
  const computed = computeApprovalPayload(payloadInputs(context, submission));
  const digest = digestOf(canonicalJson(computed.payload));
  const before = trusted.previous?.approved ?? null;
  const sides = { before, from: trusted.inFull, after: bundle, inventory, ground };
  const view = await viewChange(context, computed, digest, sides);
  const approval = await sign(computed.payload, [key]);
  const documents = Buffer.from(bundle.bytes).toString('utf8');
  const answer = await session.client.propose({ approval, documents, dryRun: context.flag('dry-run') });
  requireSame(answer.document, approval);
  return { computed, view };
}

interface Approvals {
  needed: number;
  approvers: string[];
  missing: string[];
  proposedBy: string;
}

function approvalsOf({ session: { person }, trusted }: Submission, { approvals, breakGlass }: Approval): Approvals {
  const counts = namesWithRole(trusted.roots.newest, 'approver');
  const approvers = breakGlass !== null && counts.includes(person) ? [person] : [];
  return { needed: approvals, approvers, missing: counts.filter((name) => name !== person), proposedBy: person };
}

function submittedText(context: Context, id: string, { computed, view }: Sent, approvals: Approvals): string {
  const { version, breakGlass } = computed.payload;
  const dryRun = context.flag('dry-run');
  const head = dryRun ? `would propose version ${version}` : `proposed ${id}: version ${version}`;
  return (
    `${head}, ${approvalsText(approvals, breakGlass !== null)}\n` +
    changeText(view, context.flag('all'), context.paint, context.now()) +
    (dryRun ? '' : nextText(id, approvals, view.builtOn))
  );
}

function nextText(id: string, { needed, approvers }: Approvals, ground: Ground | null): string {
  const onTopOf = ground === null || isSettled(ground) ? '' : ` --on-top-of ${ground.version}`;
  const next =
    approvers.length >= needed
      ? `edgeward store publish ${id}${onTopOf}`
      : `edgeward store review ${id}   (an approver, on their own machine; then approve, then publish)`;
  return `\nNext: ${next}\n`;
}

/** The store keeps what was signed, or says no; anything else is no answer. */
export function requireSame(answered: SignedDocument, sent: SignedDocument): void {
  if (answered.payload === sent.payload) return;
  throw distrust(
    'EDW_ERR_STORE_TAMPERED',
    'reading what the store made of it: it took something else for what was sent',
  );
}
