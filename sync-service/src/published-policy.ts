import { join } from 'node:path';
import type { SourceDocument } from '@edgeward/policy';
import { readSnapshotOf } from '@edgeward/policy-cache';
import { documentsFromLines } from '@edgeward/policy-source';
import { EdgewardError } from '@edgeward/runtime';
import type { ServiceConfig } from './config.ts';

/**
 * What a service of this configuration published last, read beside it: its snapshot is replaced whole, so a reader sees
 * the old one or the new one. Nothing is locked and nothing is written; whether the service runs makes no difference.
 */
export interface PublishedPolicy {
  revision: number;
  publishedAtMs: number;
  documents: SourceDocument[];
}

/** Null: nothing was ever published from this state folder. Throws EDW_ERR_STATE_READ. */
export async function readPublishedPolicy(config: Pick<ServiceConfig, 'stateDir'>): Promise<PublishedPolicy | null> {
  const folder = cacheFolder(config);
  const answer = await readSnapshotOf(folder);
  if (answer.state === 'none') return null;
  if (answer.state === 'damaged') {
    throw new EdgewardError('EDW_ERR_STATE_READ', `reading what was published: ${answer.cause}`, {
      mend: 'Let the service publish again, which writes a new snapshot: edit a policy, or restart it.',
    });
  }
  const { revision, takenAtMs, documents } = answer.snapshot;
  return { revision, publishedAtMs: takenAtMs, documents: documentsFromLines(documents, folder).documents };
}

/** Where the service keeps what it published. */
export function cacheFolder({ stateDir }: Pick<ServiceConfig, 'stateDir'>): string {
  return join(stateDir, 'cache');
}
