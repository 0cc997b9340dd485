/**
 * The HTTP API of a store as a person uses it. It carries and judges nothing: what is signed is verified by whoever asked.
 * A refusal keeps the code and the mend of the store; whatever else comes back has a code of its own.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type StoreFailureCode, storeFailure } from '@edgeward/policy-feed';
import { type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { ZodType } from 'zod';
import type { Answer, Asking, Exchange } from './exchange.ts';
import {
  acceptedAnswer,
  anything,
  checkpointAnswer,
  type OpenedProposal,
  proposalAnswer,
  proposalsAnswer,
  publishedAnswer,
  type ShownCheckpoint,
  type ShownProposal,
  type ShownVersion,
  versionAnswer,
} from './store-answers.ts';

export interface StoreClient {
  readonly url: string;
  /** Null where there is none of this version. */
  root(version: number | 'newest'): Promise<SignedDocument | null>;
  /** Null where there is none. */
  version(version: number | 'newest'): Promise<ShownVersion | null>;
  versionDocuments(version: number): Promise<Uint8Array>;
  proposals(): Promise<ShownProposal[]>;
  proposal(id: string): Promise<OpenedProposal>;
  proposalDocuments(id: string): Promise<Uint8Array>;
  propose(proposal: NewProposal): Promise<OpenedProposal>;
  sign(id: string, given: { document: SignedDocument; reason: string; dryRun: boolean }): Promise<OpenedProposal>;
  reject(id: string, given: { reason: string; dryRun: boolean }): Promise<OpenedProposal>;
  publish(
    id: string,
    given: { dryRun: boolean; onTopOf?: number },
  ): Promise<{ kind: 'policy' | 'root'; version: number }>;
  followUp(version: number, reason: string): Promise<void>;
  accept(revision: number): Promise<{ accepted: number }>;
  rollout(action: string, body: object): Promise<unknown>;
  status(): Promise<unknown>;
  /** Entries after this number, as lines; none at the end. */
  record(after: number, limit: number): Promise<string[]>;
  checkpoint(): Promise<ShownCheckpoint>;
  /** Workload documents. */
  inventory(): Promise<unknown[]>;
}

type NewProposal =
  | { approval: SignedDocument; documents: string; dryRun: boolean }
  | { root: SignedDocument; reason: string; dryRun: boolean };

const RATE_TRIES = 3;
const RATE_WAIT_MS = 1_000;
const SMALL_BYTES = 2 << 20;
const DOCUMENTS_BYTES = 64 << 20;
const INVENTORY_BYTES = 256 << 20;

export function createStoreClient({ url, ask: exchange }: Exchange): StoreClient {
  async function ask(asking: Omit<Asking, 'maxBytes'> & { maxBytes?: number }): Promise<Answer> {
    const wanted = { maxBytes: SMALL_BYTES, ...asking };
    let answer = await exchange(wanted);
    // Who verifies a long history asks more often than one may; a second later there is room for some more.
    for (let tries = 0; answer.status === 429 && asking.method !== 'POST' && tries < RATE_TRIES; tries += 1) {
      await sleep(RATE_WAIT_MS);
      answer = await exchange(wanted);
    }
    if (answer.status < 200 || answer.status > 299) throw refusalOf(url, asking.path, answer);
    return answer;
  }

  async function askFor<T>(schema: ZodType<T>, asking: Omit<Asking, 'maxBytes'> & { maxBytes?: number }): Promise<T> {
    return understood(url, asking.path, schema, (await ask(asking)).bytes);
  }

  const post = <T>(schema: ZodType<T>, path: string, body: object): Promise<T> =>
    askFor(schema, { method: 'POST', path, body });
  const proposalPath = (id: string): string => `/v1/proposals/${encodeURIComponent(id)}`;
  const bytesOf = async (path: string): Promise<Uint8Array> => (await ask({ path, maxBytes: DOCUMENTS_BYTES })).bytes;

  return {
    url,
    root: (version) =>
      missing('EDW_ERR_STORE_NO_ROOT', async () => {
        const path = `/v1/roots/${version}`;
        return signedIn(url, path, await askFor(anything, { path }));
      }),
    version: (version) =>
      missing('EDW_ERR_VERSION_UNKNOWN', () => askFor(versionAnswer, { path: `/v1/versions/${version}` })),
    versionDocuments: (version) => bytesOf(`/v1/versions/${version}/documents`),
    proposals: async () => {
      const asked = { path: '/v1/proposals', maxBytes: DOCUMENTS_BYTES };
      return (await askFor(proposalsAnswer, asked)).proposals;
    },
    proposal: (id) => askFor(proposalAnswer, { path: proposalPath(id) }),
    proposalDocuments: (id) => bytesOf(`${proposalPath(id)}/documents`),
    propose: (proposal) => post(proposalAnswer, '/v1/proposals', proposal),
    sign: (id, given) => post(proposalAnswer, `${proposalPath(id)}/signatures`, given),
    reject: (id, given) => post(proposalAnswer, `${proposalPath(id)}/reject`, given),
    publish: (id, given) => post(publishedAnswer, `${proposalPath(id)}/publish`, given),
    async followUp(version, reason) {
      await ask({ method: 'POST', path: `/v1/versions/${version}/follow-up`, body: { reason } });
    },
    accept: (revision) => post(acceptedAnswer, '/v1/accept', { revision }),
    rollout: (action, body) => post(anything, `/v1/rollout/${action}`, body),
    status: () => askFor(anything, { path: '/v1/status', maxBytes: DOCUMENTS_BYTES }),
    async record(after, limit) {
      const path = `/v1/record?after=${after}&limit=${limit}`;
      return linesOf((await ask({ path, maxBytes: DOCUMENTS_BYTES })).bytes, url, path);
    },
    checkpoint: () => askFor(checkpointAnswer, { path: '/v1/checkpoint' }),
    async inventory() {
      const path = '/v1/inventory';
      const lines = linesOf((await ask({ path, maxBytes: INVENTORY_BYTES })).bytes, url, path);
      return lines.map((line) => parsed(url, path, line));
    },
  };
}

/** Null in place of this refusal. */
async function missing<T>(code: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof EdgewardError && thrown.code === code) return null;
    throw thrown;
  }
}

/** An answer that was cut off is no answer: every line ends. */
function linesOf(bytes: Buffer, url: string, path: string): string[] {
  const lines = bytes.toString('utf8').split('\n');
  if (lines.pop() === '') return lines;
  throw notOurs(url, path, 'its last line is cut off');
}

function signedIn(url: string, path: string, value: unknown): SignedDocument {
  try {
    return signedDocumentOf(value);
  } catch (thrown) {
    throw notOurs(url, path, messageOf(thrown));
  }
}

function understood<T>(url: string, path: string, schema: ZodType<T>, bytes: Buffer): T {
  const read = schema.safeParse(parsed(url, path, bytes.toString('utf8')));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw notOurs(url, path, `it is not understood: ${issue?.path.join('.')}: ${issue?.message}`);
}

function parsed(url: string, path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notOurs(url, path, 'it is no JSON');
  }
}

function notOurs(url: string, path: string, why: string): EdgewardError {
  return storeFailure('EDW_ERR_STORE_ANSWER', `reading the answer of ${url} to ${path}: ${why}`);
}

/** What the store says no to in its own words; `printable` is for whoever shows them. */
function refusalOf(url: string, path: string, { status, bytes }: Answer): EdgewardError {
  const said = saidIn(bytes);
  if (said?.code === 'EDW_ERR_INTERNAL')
    return storeFailure('EDW_ERR_STORE_ANSWER', `asking ${url} for ${path}: it failed inside; its log says more`);
  if (said !== null) return new EdgewardError(said.code, said.message, { mend: said.mend });
  const code: StoreFailureCode =
    status === 401 || status === 403
      ? 'EDW_ERR_STORE_REFUSED'
      : status >= 500 || status === 429
        ? 'EDW_ERR_STORE_UNREACHABLE'
        : 'EDW_ERR_STORE_ANSWER';
  return storeFailure(code, `asking ${url} for ${path}: it answered ${status}`);
}

const MAX_SAID = 4_000;

function saidIn(bytes: Buffer): { code: string; message: string; mend: string } | null {
  try {
    const { error } = JSON.parse(bytes.toString('utf8')) as { error?: Record<string, unknown> };
    const { code, message, mend } = error ?? {};
    if (typeof code !== 'string' || !/^EDW_[A-Z_]{1,64}$/.test(code)) return null;
    if (typeof message !== 'string' || typeof mend !== 'string') return null;
    return { code, message: message.slice(0, MAX_SAID), mend: mend.slice(0, MAX_SAID) };
  } catch {
    return null;
  }
}
