/** `edgeward store propose`: a policy directory, or a trust root, becomes a proposal that others approve. */

import { type Bundle, bundleOf, inventoryOf, withDocument } from '@edgeward/central-store';
import type { SourceDocument } from '@edgeward/policy';
import { createDirectoryReader } from '@edgeward/policy-source';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { counted } from '../../frame/terminal-text.ts';
import { usageError } from '../../frame/usage-error.ts';
import { readPolicy } from '../../policy/policy-reading.ts';
import { isRefused } from '../../policy/sound-policy.ts';
import { openSession, storeExits, storeUsage } from '../store-session.ts';
import { type Inventory, readInventory } from '../trust/flow-sides.ts';
import { proposalOptions } from './change-options.ts';
import { openStore } from './opened-store.ts';
import { proposeRoot } from './propose-root.ts';
import { runningGrants } from './running-grants.ts';
import { submit } from './submission.ts';

export const propose: Command = {
  name: 'store propose',
  summary: 'Propose a policy directory, or a new trust root.',
  help: {
    examples: [
      {
        line: 'edgeward store propose policies --reason "CHG-4411: crm reads orders"',
        says: 'What it would change, which risks it has, and whose approval it needs.',
      },
      {
        line: 'edgeward store propose policies --break-glass --for 2h --reason "INC-7"',
        says: 'By an approver alone; in two hours the version before is in force again.',
      },
      {
        line: 'edgeward store propose --root root-2.json --reason "Dan joins"',
        says: 'A new trust root, for approvers.',
      },
    ],
    usage: [
      `DIR --reason TEXT [--break-glass --for TIME [--on-top-of VERSION]] [--expires TIME] [--inventory DIR] [--drop-grants] [--dry-run] ${storeUsage} [--all] [--json]`,
      `--root FILE --reason TEXT [--dry-run] ${storeUsage} [--json]`,
    ],
    about: [
      'What is signed is computed on this machine: the documents of DIR without addresses of workloads, on top of the newest version, which is verified down to the pinned trust root. The store computes it once more. Grants that are running and that DIR does not have are carried over.',
      'Policy tests run with the inventory of the store, here and there; workloads of DIR belong to its inventory, and are no part of a proposal.',
      'Break-glass goes to all points at once, and with it the version that it stands on: while the roll-out of that one is not done (halted, returned, rolling), --on-top-of has to name it.',
      'FILE is the JSON of a trust root without a signature, such as a draft of `store root --out FILE`.',
      'JSON: {proposal: {id, dryRun, needed, approvers, missing, proposedBy}, version, digest, reason, breakGlass, returnUntil, documents: {digest, bytes, count, added, removed, changed, reach}, slices, risks: [{risk, where, message}], approvals, findings, failures, inventory, from, builtOn, plan, changes}; `plan` is that of `edgeward plan`; a document that is added or removed is {kind, name, facts}, a changed one {kind, name, added, removed, kept}, a fact {where, text, fence}; `reach` has rules that come to be about other objects: {rule, gained, lost, from}; `builtOn` is {version, rollout} with break-glass, else null. Of a root: {proposal, root: {version, digest}, changes}.',
    ],
    exits: { ...storeExits, 3: 'the policy has errors, its tests fail, or the store refuses' },
  },
  args: ['[DIR]'],
  options: {
    ...proposalOptions,
    root: { type: 'string', value: 'FILE', says: 'Propose this trust root, and no policy.' },
    'drop-grants': { type: 'boolean', says: 'Let grants end with this version that DIR does not have.' },
  },
  run: runPropose,
};

async function runPropose(context: Context): Promise<ExitCode> {
  context.required('reason');
  const [directory] = context.args;
  const rootFile = context.text('root');
  if ((directory === undefined) === (rootFile === undefined))
    throw usageError('either DIR or --root is proposed', 'store propose');
  if (rootFile !== undefined) return await proposeRoot(context, await openSession(context, 'store propose'), rootFile);
  return await proposePolicy(context, directory ?? '');
}

async function proposePolicy(context: Context, directory: string): Promise<ExitCode> {
  const reading = await readPolicy(context, directory);
  if (await isRefused(context, reading)) return 3;
  const { documents } = await createDirectoryReader(directory).read();
  const written = bundleOf(documents);
  const session = await openSession(context, 'store propose');
  const trusted = await openStore(context, session, 'store propose');
  const { bundle, notes } = carryOver(context, written, trusted.previous?.approved ?? null);
  const inventory = await readInventory(session.client, context.text('inventory'));
  const lacking = lackingWorkloads(documents, inventory);
  return await submit(context, {
    ...{ command: 'store propose', session, trusted, bundle, inventory },
    notes: [...notes, ...(lacking === null ? [] : [lacking])],
  });
}

function carryOver(context: Context, written: Bundle, before: Bundle | null): { bundle: Bundle; notes: string[] } {
  const running = runningGrants(before, written, context.now());
  const word = context.flag('drop-grants') ? 'ends with this version' : 'carried over';
  const notes = running.map(({ document, until }) => `${word}: ${document.name}, until ${until}`);
  if (context.flag('drop-grants')) return { bundle: written, notes };
  return { bundle: running.reduce((bundle, { document }) => withDocument(bundle, document), written), notes };
}

/** Workloads of the directory are no part of what is proposed: where they are not known to the store, its tests may fail. */
function lackingWorkloads(documents: readonly SourceDocument[], inventory: Inventory): string | null {
  const nameOf = ({ value }: SourceDocument): unknown => (value as { name?: unknown }).name;
  const known = new Set(inventory.documents.map(nameOf));
  const lacking = inventoryOf(documents).filter((document) => !known.has(nameOf(document))).length;
  if (lacking === 0) return null;
  return `note: ${counted(lacking, 'workload')} of this directory ${lacking === 1 ? 'is' : 'are'} not in the inventory ${inventory.from}`;
}
