/** `edgeward store restore`: proposes the documents of an older version again, as a new one that says so. */

import { parseBundle } from '@edgeward/central-store';
import { type Approval, approvalOf, digestOf, digestOfPayload, LIMITS, payloadOf } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import type { StoreClient } from '../client/store-client.ts';
import { openSession, storeExits, storeUsage } from '../store-session.ts';
import { distrust } from '../trust/distrust.ts';
import { readInventory } from '../trust/flow-sides.ts';
import type { TrustedStore } from '../trust/trusted-store.ts';
import { proposalOptions, versionArgument } from './change-options.ts';
import { openStore } from './opened-store.ts';
import { submit } from './submission.ts';

export const restore: Command = {
  name: 'store restore',
  summary: 'Propose an older version again.',
  help: {
    examples: [
      {
        line: 'edgeward store restore 7 --reason "INC-12: version 8 cut the branches off"',
        says: 'A new version, with what 7 had.',
      },
    ],
    usage: [
      `VERSION --reason TEXT [--break-glass --for TIME [--on-top-of VERSION]] [--expires TIME] [--dry-run] ${storeUsage} [--all] [--json]`,
    ],
    about: [
      'Versions only grow: going back is a version too, and old documents open again what was closed since, so it counts as a risk. The old version is found by the digests that each version since was signed with. In a hurry an approver adds --break-glass.',
      'JSON as of `store propose`.',
    ],
    exits: { ...storeExits, 3: 'there is no such version, or the store refuses' },
  },
  args: ['VERSION'],
  options: proposalOptions,
  run: runRestore,
};

async function runRestore(context: Context): Promise<ExitCode> {
  const version = versionArgument(context.args[0] ?? '', 'store restore');
  context.required('reason');
  const session = await openSession(context, 'store restore');
  const { client } = session;
  const trusted = await openStore(context, session, 'store restore');
  const bundle = parseBundle(await verifiedDocuments(client, trusted, version));
  const inventory = await readInventory(client, context.text('inventory'));
  const notes = [`restores version ${version}`];
  return await submit(context, {
    command: 'store restore',
    session,
    trusted,
    bundle,
    inventory,
    restored: true,
    notes,
  });
}

/**
 * Back from the newest version, each by the digest that the one after it was signed with: whose keys signed an old one, and
 * whether they are anybody's still, does not matter then.
 */
async function verifiedDocuments(
  client: StoreClient,
  { previous }: TrustedStore,
  version: number,
): Promise<Uint8Array> {
  if (previous === null || version > previous.approval.version)
    throw new EdgewardError('EDW_ERR_VERSION_UNKNOWN', `restoring version ${version}: the store has none`, {
      mend: 'Name a version from 1 on; `edgeward store status` tells the newest.',
    });
  let { approval } = previous;
  while (approval.version > version) approval = await versionBefore(client, approval);
  const bytes = await client.versionDocuments(version);
  if (digestOf(bytes) !== approval.documents.digest)
    throw distrust('EDW_ERR_STORE_TAMPERED', `the documents of version ${version} are not those that were approved`);
  return bytes;
}

async function versionBefore(client: StoreClient, after: Approval): Promise<Approval> {
  const version = after.version - 1;
  const shown = await client.version(version);
  if (shown === null || digestOfPayload(shown.approval) !== after.previous)
    throw distrust('EDW_ERR_STORE_TAMPERED', `version ${version} is not the one that version ${after.version} follows`);
  const approval = approvalOf(payloadOf(shown.approval, 'the approval', LIMITS.approvalBytes));
  if (approval.version === version) return approval;
  throw distrust('EDW_ERR_STORE_TAMPERED', `version ${approval.version} is shown as version ${version}`);
}
