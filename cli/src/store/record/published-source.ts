/** What a store has published, from its folder or over the network; whoever reads it verifies it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { systemCodeOf } from '@edgeward/runtime';
import type { StoreClient } from '../client/store-client.ts';

export interface PublishedSource {
  root(version: number): Promise<SignedDocument | null>;
  approval(version: number): Promise<SignedDocument | null>;
  documents(version: number): Promise<Uint8Array>;
}

export function folderSource(dir: string): PublishedSource {
  return {
    root: (version) => jsonAt(join(dir, 'roots', `${version}.json`), (value) => signedDocumentOf(value)),
    approval: (version) =>
      jsonAt(join(dir, 'versions', String(version), 'approval.json'), (value) =>
        signedDocumentOf((value as { approval?: unknown } | null)?.approval),
      ),
    documents: (version) => readFile(join(dir, 'versions', String(version), 'bundle.ndjson')),
  };
}

export function clientSource(client: StoreClient): PublishedSource {
  return {
    root: client.root,
    approval: async (version) => (await client.version(version))?.approval ?? null,
    documents: client.versionDocuments,
  };
}

async function jsonAt<T>(path: string, read: (value: unknown) => T): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  });
  return text === null ? null : read(JSON.parse(text));
}
