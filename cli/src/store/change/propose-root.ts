/** A trust root as a proposal: read, compared with the one in force, signed by an approver or author, sent. */

import { readFile } from 'node:fs/promises';
import { digestOfRoot, sign, type TrustRoot, trustRootOf } from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import type { StoreSession } from '../store-session.ts';
import { proposalIdOf } from '../trust/opened-proposal.ts';
import { ownKey } from '../trust/signer.ts';
import { openStore } from './opened-store.ts';
import { rootChanges, rootHead } from './root-view.ts';
import { requireSame } from './submission.ts';

export async function proposeRoot(context: Context, session: StoreSession, file: string): Promise<ExitCode> {
  const root = await readRoot(file);
  const trusted = await openStore(context, session, 'store propose');
  const before = trusted.roots.newest;
  const key = await ownKey(session, [before], 'store propose');
  const dryRun = context.flag('dry-run');
  const reason = context.required('reason');
  const document = await sign(root, [key]);
  requireSame((await session.client.propose({ root: document, reason, dryRun })).document, document);
  const digest = digestOfRoot(root);
  const id = proposalIdOf(digest);
  const changes = rootChanges(before, root);
  if (context.json) {
    await context.printJson({ proposal: { id, dryRun }, root: { version: root.version, digest }, changes });
    return 0;
  }
  const head = dryRun ? 'would propose' : `proposed ${id}:`;
  const lines = [`${head} ${rootHead(root)}`, ...changes.map((line) => `  ${line}`)];
  await context.out.write(`${lines.map(printable).join('\n')}\n`);
  return 0;
}

/** Whether it may follow the one in force is asked by the store, and by everybody who signs it. */
async function readRoot(file: string): Promise<TrustRoot> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_FORMAT_ROOT', `reading the trust root in ${file}: ${messageOf(cause)}`, {
      mend: 'Write the JSON of a trust root without signatures; docs/store.md shows one.',
      cause,
    });
  }
  return trustRootOf(value);
}
