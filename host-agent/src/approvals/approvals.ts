/**
 * This host as the last hop: what its service offers is taken over only if people approved it. The service hands on what the
 * store signed, and is believed for none of it: signatures, fences, order and floor are checked here, against a trust root that
 * somebody brought to this host; the policy is compiled here, and what was offered has to be that, to the byte. Where no root is
 * pinned nothing of this is loaded.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { type Clock, EdgewardError, type Logger, makeFolder, messageOf, readPlainFile } from '@edgeward/runtime';
import type { HostPolicyHead } from '../../protocol/index.ts';
import type { ServiceClient } from '../service-client.ts';
import { evidenceSource } from './evidence-source.ts';

export interface Approvals {
  /**
   * True: people approved it. False: no root is pinned here and none ever was, so that nobody asked. Throws
   * EDW_ERR_HOST_NOT_APPROVED, EDW_ERR_HOST_ROOT, `Nacked`, EDW_ERR_STATE_WRITE, and what the service answers.
   */
  check(head: HostPolicyHead): Promise<boolean>;
}

export interface ApprovalsOptions {
  point: string;
  /** Null: none is pinned. */
  rootFile: string | null;
  stateDir: string;
  client: () => ServiceClient;
  ending: AbortSignal;
  clock: Clock;
  logger: Logger;
}

const FOLDER = 'approvals';
const MOST_ROOT_BYTES = 524_288;

export function createApprovals(options: ApprovalsOptions): Approvals {
  const { point, rootFile, clock, logger, ending: signal } = options;
  const folder = join(options.stateDir, FOLDER);
  return {
    async check(head) {
      if (rootFile === null) {
        if (await wasPinned(folder)) throw noRoot(`this host verifies approvals (${folder}), and rootFile is not set`);
        return false;
      }
      const pinnedRoot = await readRoot(rootFile);
      await makeFolder(folder);
      const { verifyState } = await import('@edgeward/policy-feed/last-hop');
      const { isCompiledFrom } = await import('./compiled-here.ts');
      const source = evidenceSource({ client: options.client, clock, signal });
      const signed = await source.head(head.revision);
      const own = { point, pinnedRoot, folder: join(folder, point) };
      const state = await verifyState({ ...own, head: signed, source, clock, logger, signal });
      if (!isCompiledFrom(state, head, clock.now())) throw notApproved(head, state.head.revision);
      return true;
    },
  };
}

/** Whoever empties the configuration must not bring back the word of the service. */
async function wasPinned(folder: string): Promise<boolean> {
  try {
    await readdir(folder);
    return true;
  } catch {
    return false;
  }
}

/** Read each time: what is mended is there at the next offer. */
async function readRoot(file: string): Promise<SignedDocument> {
  try {
    return signedDocumentOf(JSON.parse((await readPlainFile(file, MOST_ROOT_BYTES)).toString('utf8')));
  } catch (thrown) {
    throw noRoot(`reading ${file}: ${messageOf(thrown)}`, thrown);
  }
}

function noRoot(why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_ROOT', `verifying what people approved: ${why}`, {
    mend: 'What is in force stays. Put the trust root there that `rootFile` of agent.yaml names, `roots/1.json` of the store. To take the word of the service instead, for good, remove the folder `approvals` of the state folder as well.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function notApproved({ revision, aud }: HostPolicyHead, approved: number): EdgewardError {
  const what = revision === approved ? 'another policy' : `revision ${approved}`;
  return new EdgewardError(
    'EDW_ERR_HOST_NOT_APPROVED',
    `taking over revision ${revision} of ${aud}: the service signed it, and what people approved is ${what}`,
    {
      mend: 'What is in force stays. Run the same version of Edgeward at the service and here, and set both clocks. If they are, the service offers what nobody approved: treat it as taken over.',
    },
  );
}
