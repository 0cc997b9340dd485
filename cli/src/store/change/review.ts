/** `edgeward store review`: what waits for signatures, and what one proposal would change, found out on this machine. */

import type { Command, Context } from '../../frame/command.ts';
import { formatDuration } from '../../frame/duration.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { counted, type Paint, printable } from '../../frame/terminal-text.ts';
import type { ShownProposal } from '../client/store-answers.ts';
import { openSession, type StoreSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { readInventory } from '../trust/flow-sides.ts';
import { type Opened, type OpenedPolicy, type OpenedRoot, openProposal } from '../trust/opened-proposal.ts';
import { rememberReviewed, requireReviewed, reviewedDigest } from '../trust/reviewed-proposals.ts';
import type { TrustedStore } from '../trust/trusted-store.ts';
import { allOption, confirmOption, inventoryOption, proposalArgument } from './change-options.ts';
import { approvalsText, type ChangeView, changeText, viewChange } from './change-view.ts';
import { groundOf } from './glass-ground.ts';
import { openStore } from './opened-store.ts';
import { rootChanges, rootHead } from './root-view.ts';

export const review: Command = {
  name: 'store review',
  summary: 'List proposals, or show what one would change.',
  help: {
    examples: [
      { line: 'edgeward store review', says: 'Proposals, newest first.' },
      {
        line: 'edgeward store review 3f6c0a94d2e1b857',
        says: 'Flows gained and lost at each point, risks, approvals, bytes and limits.',
      },
    ],
    usage: [`${storeUsage} [--json]`, `ID [--inventory DIR] [--all] ${storeUsage} [--json]`],
    about: [
      'Nothing of a proposal is taken from the store as it says it. The documents are downloaded and must have the digest that was signed; the newest version is verified down to the pinned trust root; rules of every point, risks and the number of approvals are computed here and must come out as they were signed. What differs is an error, and no review.',
      'First come documents: whatever is added, removed or changed in what is signed, with the fence of each source that labels select, whoever it holds now. Flows come second, by who is where now.',
      "Reasons of approvers, and of a trust root its proposer and reason too, are the store's words: nobody signs them.",
      'Who is where comes from the inventory, which nobody signs: --inventory takes another one than the store has.',
      'JSON: {proposals: [{id, kind, state, proposedBy, proposedAt, expiresAt, reason, approvals}]}; of one {proposal: {id, kind, state, proposedBy, needed, approvers, missing, given}} with what `store propose` prints. Of a root {proposal, root: {version, digest}, changes}.',
    ],
    exits: {
      ...storeExits,
      0: 'proposals were listed, or nothing would change',
      3: 'something would change; or what the store shows is not what was signed',
    },
  },
  args: ['[ID]'],
  options: { inventory: inventoryOption, all: allOption, 'confirm-version': confirmOption, ...storeOptions },
  run: runReview,
};

async function runReview(context: Context): Promise<ExitCode> {
  const [given] = context.args;
  const session = await openSession(context, 'store review');
  if (given === undefined) return await list(context, session);
  const { id, digest } = proposalArgument(given, 'store review');
  const trusted = await openStore(context, session, 'store review');
  const { rootFile } = session.profile;
  const opened = await openProposal(session.client, trusted, { id, exactly: digest, nowMs: context.now() });
  requireReviewed(rootFile, await reviewedDigest(rootFile, id), opened);
  const code = await show(context, session, trusted, opened);
  // Once it was shown, and not before.
  await rememberReviewed(rootFile, opened);
  return code;
}

async function show(context: Context, session: StoreSession, trusted: TrustedStore, opened: Opened): Promise<ExitCode> {
  return opened.kind === 'root'
    ? await reviewRoot(context, opened)
    : await reviewPolicy(context, session, trusted, opened);
}

async function list(context: Context, { client }: StoreSession): Promise<ExitCode> {
  const proposals = await client.proposals();
  if (context.json) await context.printJson({ proposals });
  else await context.out.write(listText(proposals, context.now(), context.paint));
  return 0;
}

function listText(proposals: readonly ShownProposal[], nowMs: number, paint: Paint): string {
  if (proposals.length === 0) return 'No proposals.\n';
  return proposals
    .map(({ id, kind, state, proposedBy, proposedAt, reason, approvals }) => {
      const age = formatDuration(Math.max(0, nowMs - Date.parse(proposedAt)));
      const signed = `${approvals.given.length} of ${approvals.needed} approvals`;
      const open = state === 'open' || state === 'approved';
      const word = open ? paint.strong(printable(state)) : paint.dim(printable(state));
      return `${printable(id)}  ${word}  ${kind}, ${signed}, ${printable(proposedBy)}, ${age} ago: ${printable(reason)}\n`;
    })
    .join('');
}

/** What this machine made of a proposal, as the approver sees it before signing. */
export async function viewProposal(
  context: Context,
  { client }: StoreSession,
  trusted: TrustedStore,
  { computed, digest, bundle, payload }: OpenedPolicy,
): Promise<ChangeView> {
  const inventory = await readInventory(client, context.text('inventory'));
  const before = trusted.previous?.approved ?? null;
  const from = trusted.inFull;
  const ground = payload.breakGlass === null || from === null ? null : await groundOf(client, from);
  return await viewChange(context, computed, digest, { before, from, after: bundle, inventory, ground });
}

async function reviewPolicy(
  context: Context,
  session: StoreSession,
  trusted: TrustedStore,
  opened: OpenedPolicy,
): Promise<ExitCode> {
  const view = await viewProposal(context, session, trusted, opened);
  if (context.json) await context.printJson({ proposal: proposalOf(opened), ...view });
  else await context.out.write(`${proposalText(context, opened, view)}${nextText(opened, session.person)}`);
  return view.changes ? 3 : 0;
}

/** By the whole digest: an id is short, and who proposes could have made two payloads that share it. */
function nextText({ digest, missing }: OpenedPolicy, person: string): string {
  return missing.includes(person) ? `\nTo sign exactly this: edgeward store approve ${digest} --reason TEXT\n` : '';
}

async function reviewRoot(context: Context, opened: OpenedRoot): Promise<ExitCode> {
  const { payload, before, digest } = opened;
  const changes = rootChanges(before, payload);
  if (context.json)
    await context.printJson({ proposal: proposalOf(opened), root: { version: payload.version, digest }, changes });
  else await context.out.write(rootText(opened, changes));
  return 3;
}

export function rootText(opened: OpenedRoot, changes: readonly string[]): string {
  const { id, payload, shown } = opened;
  const lines = [
    `proposal ${id}  ${shown.state}  ${rootHead(payload)}`,
    // A trust root carries no name and no reason: these two were sent beside it.
    `  as the store says, by ${opened.proposedBy}: ${shown.reason}`,
    `  ${approvalsText(opened, true)}`,
    ...reasonLines(opened),
    ...changes.map((line) => `  ${line}`),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

export function proposalText(context: Context, opened: OpenedPolicy, view: ChangeView): string {
  const { id, shown, payload } = opened;
  const head = `proposal ${id}  ${shown.state}  version ${payload.version} by ${payload.proposedBy}, expires ${payload.expiresAt}`;
  return [
    `${printable(head)}`,
    `  ${approvalsText(opened, payload.breakGlass !== null)}`,
    ...reasonLines(opened).map(printable),
    changeText(view, context.flag('all'), context.paint, context.now()).trimEnd(),
    `Computed here from ${counted(payload.documents.count, 'document')}: rules, risks and approvals are what ${printable(payload.proposedBy)} signed.`,
    '',
  ].join('\n');
}

/** That they signed was verified; why, is the store's word. */
function reasonLines({ shown, approvers }: Opened): string[] {
  const given = shown.approvals.given.filter(({ person }) => approvers.includes(person));
  return given.map(({ person, reason }) => `  as the store says, ${person} signed because: ${reason}`);
}

export function proposalOf(opened: OpenedPolicy | OpenedRoot): object {
  const { id, kind, shown, proposedBy, needed, approvers, missing } = opened;
  return { id, kind, state: shown.state, proposedBy, needed, approvers, missing, given: shown.approvals.given };
}
