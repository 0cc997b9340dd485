/** `edgeward store approve`: computes a proposal on this machine, and signs what came out, if it is what was proposed. */

import { type Digest, type SignedDocument, type SigningKey, sign } from '@edgeward/policy-format';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { usageError } from '../../frame/usage-error.ts';
import { openSession, type StoreSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { distrust } from '../trust/distrust.ts';
import { type Opened, openProposal } from '../trust/opened-proposal.ts';
import { reviewedDigest } from '../trust/reviewed-proposals.ts';
import { ownKey } from '../trust/signer.ts';
import {
  allOption,
  confirmOption,
  dryRunOption,
  inventoryOption,
  proposalArgument,
  reasonOption,
} from './change-options.ts';
import { openStore } from './opened-store.ts';
import { proposalOf, proposalText, rootText, viewProposal } from './review.ts';
import { rootChanges } from './root-view.ts';

export const approve: Command = {
  name: 'store approve',
  summary: 'Sign a proposal, as this machine computes it.',
  help: {
    examples: [
      { line: 'edgeward store review 3f6c0a94d2e1b857', says: 'Look first; it prints the payload.' },
      { line: 'edgeward store approve 3f6c0a94d2e1b857 --reason "as agreed in CHG-4411"', says: 'Then sign.' },
    ],
    usage: [`ID --reason TEXT [--dry-run] [--inventory DIR] [--all] ${storeUsage} [--json]`],
    about: [
      'The same is found out as by `store review`, and shown. What is signed is what this machine computed from the documents, never what the store sent; where the two differ, nothing is signed. Nobody approves their own proposal: two people, or break-glass.',
      'ID is that of a proposal that `store review ID` showed on this machine, or all 64 digits of the payload: then it is that one, and none that was made to look like it. What is signed is printed before it is sent. The reason goes on the record and to who looks at the proposal.',
      'JSON: {approved: {id, person, dryRun, state}, proposal} with what `store review ID` prints.',
    ],
    exits: { ...storeExits, 3: 'it is not yours to approve, or not what was signed; nothing was signed' },
  },
  args: ['ID'],
  options: {
    reason: reasonOption,
    'dry-run': dryRunOption,
    inventory: inventoryOption,
    all: allOption,
    'confirm-version': confirmOption,
    ...storeOptions,
  },
  run: runApprove,
};

async function runApprove(context: Context): Promise<ExitCode> {
  const { id, digest } = proposalArgument(context.args[0] ?? '', 'store approve');
  const reason = context.required('reason');
  const session = await openSession(context, 'store approve');
  const { client, person, profile } = session;
  const trusted = await openStore(context, session, 'store approve');
  const exactly = digest ?? (await shownBefore(profile.rootFile, id));
  const opened = await openProposal(client, trusted, { id, exactly, nowMs: context.now() });
  if (opened.proposedBy === person)
    throw distrust('EDW_ERR_PROPOSAL_OWN', `approving the proposal ${id}: ${person} proposed it`);
  const roots = opened.kind === 'root' ? [opened.before, opened.payload] : [trusted.roots.newest];
  const key = await ownKey(session, roots, 'store approve');
  const shown = await shownTo(context, session, trusted, opened);
  const document = await signedHere(opened, key);
  const dryRun = context.flag('dry-run');
  // Whoever signs can read what, before it can't be taken back.
  if (context.json) await context.err.write(`signing ${opened.digest}\n`);
  else await context.out.write(`${shown.text}\n`);
  const answer = await client.sign(id, { document, reason, dryRun });
  const approved = { id, person, dryRun, state: dryRun ? opened.shown.state : answer.state };
  if (context.json) await context.printJson({ approved, proposal: proposalOf(opened), ...shown.json });
  else await context.out.write(doneText(approved));
  return 0;
}

/** An id is too short to say what is signed: this machine has shown it whole, or it is not known here. Throws EDW_ERR_USAGE. */
async function shownBefore(rootFile: string, id: string): Promise<Digest> {
  const digest = await reviewedDigest(rootFile, id);
  if (digest !== null) return digest;
  const hint = `Look at it with \`edgeward store review ${id}\`, or give all 64 digits of its payload.`;
  throw usageError(`this machine has not shown the proposal ${id}`, 'store approve', hint);
}

async function shownTo(
  context: Context,
  session: StoreSession,
  trusted: Parameters<typeof viewProposal>[2],
  opened: Opened,
): Promise<{ json: object; text: string }> {
  if (opened.kind === 'root') {
    const changes = rootChanges(opened.before, opened.payload);
    const root = { version: opened.payload.version, digest: opened.digest };
    return { json: { root, changes }, text: rootText(opened, changes) };
  }
  const view = await viewProposal(context, session, trusted, opened);
  return { json: view, text: proposalText(context, opened, view) };
}

/** From what was computed, not from what was sent; one byte of difference and there is no signature. */
async function signedHere(opened: Opened, key: SigningKey): Promise<SignedDocument> {
  const document = await sign(opened.kind === 'root' ? opened.payload : opened.computed.payload, [key]);
  if (document.payload === opened.shown.document.payload) return document;
  throw distrust('EDW_ERR_PROPOSAL_DIFFERS', `approving the proposal ${opened.id}: it came out differently here`);
}

function doneText({
  id,
  person,
  dryRun,
  state,
}: {
  id: string;
  person: string;
  dryRun: boolean;
  state: string;
}): string {
  if (dryRun) return printable(`${person} would sign ${id}`).concat('\n');
  const next = state === 'approved' ? `\n\nNext: edgeward store publish ${id}   (a publisher)` : '';
  return `${printable(`${person} signed ${id}; it is ${state} now`)}${next}\n`;
}
