/**
 * What a store signed, as the service hands it on. Blobs that are asked for while an answer is under way go together in the next
 * question. A service that asks to come back later is asked again later.
 */
import { type Digest, type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { type Clock, createWorkQueue, EdgewardError, pauseFor, whilePausing } from '@edgeward/runtime';
import { MAX_BLOBS_ASKED } from '../../protocol/index.ts';
import type { ServiceClient } from '../service-client.ts';

export interface EvidenceSource {
  /** Of this revision. Throws as the client does. */
  head(revision: number): Promise<SignedDocument>;
  root(version: number): Promise<SignedDocument | null>;
  blob(digest: Digest, maxBytes: number): Promise<Uint8Array | null>;
}

export interface EvidenceSourceOptions {
  client: () => Pick<ServiceClient, 'storeHead' | 'storeRoot' | 'storeBlobs'>;
  clock: Clock;
  signal: AbortSignal;
}

interface Wanted {
  digest: Digest;
  maxBytes: number;
  resolve: (bytes: Uint8Array | null) => void;
  reject: (thrown: unknown) => void;
}

/** A million members are some hundred questions, and a host has twenty a second. */
const MOST_TRIES = 20;
const BUSY_MS = 1_000;

export function evidenceSource({ client, clock, signal }: EvidenceSourceOptions): EvidenceSource {
  const asking = createWorkQueue();
  let waiting: Wanted[] = [];

  async function patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await ask();
      } catch (thrown) {
        const isBusy = thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_SERVICE_BUSY';
        if (!isBusy || tried === MOST_TRIES || signal.aborted) throw thrown;
        await whilePausing(pauseFor(clock, BUSY_MS), signal);
      }
    }
  }

  async function askNext(): Promise<void> {
    const wanted = waiting.slice(0, MAX_BLOBS_ASKED);
    waiting = waiting.slice(MAX_BLOBS_ASKED);
    // It went with a question before.
    if (wanted.length === 0) return;
    try {
      const found = await patiently(() => client().storeBlobs(wanted));
      found.forEach((bytes, at) => {
        wanted[at]?.resolve(bytes);
      });
      const left = wanted.slice(found.length);
      waiting = [...left, ...waiting];
      if (left.length > 0) void asking.run(askNext);
    } catch (thrown) {
      for (const { reject } of wanted) reject(thrown);
    }
  }

  return {
    head: (revision) => patiently(async () => signedDocumentOf(await client().storeHead(revision))),
    root: (version) =>
      patiently(async () => {
        const found = await client().storeRoot(version);
        return found === null ? null : signedDocumentOf(found);
      }),
    blob(digest, maxBytes) {
      const answer = new Promise<Uint8Array | null>((resolve, reject) => {
        waiting.push({ digest, maxBytes, resolve, reject });
      });
      void asking.run(askNext);
      return answer;
    },
  };
}
