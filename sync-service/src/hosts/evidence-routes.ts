import {
  BLOBS_ANSWER_BYTES,
  BLOBS_PATH,
  BLOBS_TYPE,
  blobsRequestSchema,
  formatBlobs,
  headPath,
  MAX_BLOBS_REQUEST_BYTES,
  rootPath,
} from '@edgeward/host-agent/protocol';
import { canonicalJson, type Digest, type PointState, type SignedDocument, stateBlobs } from '@edgeward/policy-format';
import { EdgewardError, type HttpAnswer, type TlsRequest } from '@edgeward/runtime';
import { keptBytes } from './kept-bytes.ts';
import { type HostRoute, hostIn } from './routes.ts';

/**
 * What a host verifies approvals by: the store's own words, as this service follows it. Of its own point alone, as the certificate
 * says who asks; and nothing that is not named by a state which this point was given lately.
 */
export interface Evidence {
  /** Newest first. */
  states(point: string): readonly PointState[];
  /** Null where there is none of this version. */
  root(point: string, version: number, signal: AbortSignal): Promise<SignedDocument | null>;
}

/** Of rules, which are written anew each time otherwise. */
const KEPT_BYTES = 64 * 1024 * 1024;

/** `evidence` is null where no store is followed. */
export function evidenceRoutes(evidence: Evidence | null): HostRoute[] {
  const find = blobsByDigest();
  return [
    { method: 'GET', path: headPath(':revision'), handle: (request) => head(evidence, request) },
    { method: 'GET', path: rootPath(':version'), handle: (request) => root(evidence, request) },
    {
      method: 'POST',
      path: BLOBS_PATH,
      maxBodyBytes: MAX_BLOBS_REQUEST_BYTES,
      handle: (request) => blobs(evidence, request, find),
    },
  ];
}

function head(evidence: Evidence | null, request: TlsRequest): HttpAnswer {
  const point = hostIn(request);
  const revision = numberIn(request, 'revision');
  const found = evidence?.states(point).find((state) => state.head.revision === revision);
  if (found === undefined) throw noEvidence(point, evidence === null ? null : `revision ${revision}`);
  return documentAnswer(found.signedHead);
}

async function root(evidence: Evidence | null, request: TlsRequest): Promise<HttpAnswer> {
  const point = hostIn(request);
  if (evidence === null) throw noEvidence(point, null);
  const found = await evidence.root(point, numberIn(request, 'version'), request.signal);
  return found === null ? { status: 204, empty: true } : documentAnswer(found);
}

function blobs(evidence: Evidence | null, request: TlsRequest, find: FindBlob): HttpAnswer {
  const point = hostIn(request);
  if (evidence === null) throw noEvidence(point, null);
  const asked = blobsRequestSchema.safeParse(request.json());
  if (!asked.success) throw badRequest('it names no blobs, or too many');
  const states = evidence.states(point);
  const found: (Uint8Array | null)[] = [];
  let bytes = 0;
  for (const digest of asked.data.digests) {
    const blob = find(states, digest);
    found.push(blob);
    bytes += blob?.length ?? 0;
    if (bytes >= BLOBS_ANSWER_BYTES) break;
  }
  return { bytes: formatBlobs(found), contentType: BLOBS_TYPE };
}

type FindBlob = (states: readonly PointState[], digest: Digest) => Uint8Array | null;

function blobsByDigest(): FindBlob {
  const listed = new WeakMap<PointState, Map<Digest, () => Uint8Array>>();
  const kept = keptBytes(KEPT_BYTES);

  function blobsOf(state: PointState): Map<Digest, () => Uint8Array> {
    const known = listed.get(state) ?? new Map([...stateBlobs(state)].map(({ digest, bytes }) => [digest, bytes]));
    listed.set(state, known);
    return known;
  }

  return (states, digest) => {
    const known = kept.get(digest, '');
    for (const state of states) {
      const make = blobsOf(state).get(digest);
      if (make === undefined) continue;
      if (known !== null) return known;
      const bytes = make();
      // Pages are in memory as they are.
      if (digest === state.head.rules.digest || digest === state.head.base?.rules.digest) kept.keep(digest, '', bytes);
      return bytes;
    }
    return null;
  };
}

function documentAnswer(document: SignedDocument): HttpAnswer {
  return { bytes: Buffer.from(canonicalJson(document)), contentType: 'application/json; charset=utf-8' };
}

function numberIn({ params }: TlsRequest, name: string): number {
  const text = params[name] ?? '';
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`its ${name} is no number`);
  return Number(text);
}

function badRequest(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_EVIDENCE_REQUEST', `handing on what a store signed: ${why}`, {
    mend: 'Run the same version of Edgeward at the service and on the host.',
  });
}

/** `what`: null where no store is followed. */
function noEvidence(point: string, what: string | null): EdgewardError {
  const why = what === null ? 'this service follows no central store' : `nothing is known of ${what} any more`;
  return new EdgewardError('EDW_ERR_HOST_NO_EVIDENCE', `handing on what people approved for ${point}: ${why}`, {
    mend: 'What is in force at the host stays. A host with `rootFile` in its agent.yaml needs a service with `store` in its edgeward.yaml; of a revision that was replaced a moment ago the next one is coming.',
  });
}
