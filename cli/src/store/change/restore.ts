/** `edgeward store restore`: proposes the documents of an older version again, as a new one that says so. */
import { parseBundle } from '@edgeward/central-store';
import { approvalOf, digestOf, LIMITS, payloadOf, verifyApproval } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import type { StoreClient } from '../client/store-client.ts';
import { openSession, storeExits, storeUsage } from '../store-session.ts';
import { distrust } from '../trust/distrust.ts';
import { readInventory } from '../trust/flow-sides.ts';
import { openTrusted, type TrustedStore } from '../trust/trusted-store.ts';
import { proposalOptions, versionArgument } from './change-options.ts';
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
      'Versions only grow: going back is a version too, and old documents open again what was closed since, so it counts as a risk. The old version is verified by its signatures. In a hurry an approver adds --break-glass.',
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
  const { client, profile } = session;
  const trusted = await openTrusted(client, profile.rootFile, context.now());
  const bundle = parseBundle(await verifiedDocuments(client, trusted, version, context.now()));
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

/** Under the trust root of its time. */
async function verifiedDocuments(
  client: StoreClient,
  { roots }: TrustedStore,
  version: number,
  nowMs: number,
): Promise<Uint8Array> {
  const shown = await client.version(version);
  if (shown === null)
    throw new EdgewardError('EDW_ERR_VERSION_UNKNOWN', `restoring version ${version}: the store has none`, {
      mend: 'Name a version from 1 on; `edgeward store status` tells the newest.',
    });
  const said = approvalOf(payloadOf(shown.approval, 'the approval', LIMITS.approvalBytes));
  if (said.version !== version)
    throw distrust('EDW_ERR_STORE_TAMPERED', `version ${said.version} is shown as version ${version}`);
  await roots.reach(said.root);
  const root = roots.at(said.root);
  if (root === null)
    throw distrust(
      'EDW_ERR_STORE_TAMPERED',
      `version ${version} was approved under trust root ${said.root}, which nobody knows`,
    );
  const { approval } = await verifyApproval({ document: shown.approval, root, accepted: () => false, nowMs });
  const bytes = await client.versionDocuments(version);
  if (digestOf(bytes) !== approval.documents.digest)
    throw distrust('EDW_ERR_STORE_TAMPERED', `the documents of version ${version} are not those that were approved`);
  return bytes;
}
