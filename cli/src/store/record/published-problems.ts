/**
 * Every version that a store ever published, looked at again: signatures under the trust root of its time, its place after
 * the version before, its documents, and the rules of every point that come out of them.
 */
import { parseBundle, slicesOf } from '@edgeward/central-store';
import {
  type Approval,
  approvalOf,
  digestOf,
  digestOfPayload,
  LIMITS,
  payloadOf,
  type SignedDocument,
  sliceTree,
  verifyApproval,
} from '@edgeward/policy-format';
import { messageOf } from '@edgeward/runtime';
import type { TrustedRoots } from '../trust/trusted-roots.ts';
import type { PublishedSource } from './published-source.ts';

export interface Problem {
  /** `record 12`, `version 3`, `trust root` */
  where: string;
  kind: string;
  message: string;
}

export interface PublishedVerification {
  versions: number;
  problems: Problem[];
}

const MAX_PROBLEMS = 1_000;

export async function verifyPublished(
  source: PublishedSource,
  roots: TrustedRoots,
  nowMs: number,
): Promise<PublishedVerification> {
  const problems: Problem[] = [];
  let before: string | null = null;
  let version = 1;
  for (; problems.length < MAX_PROBLEMS; version += 1) {
    const where = `version ${version}`;
    try {
      const document = await source.approval(version);
      if (document === null) break;
      problems.push(
        ...(await problemsOf(document, { version, before, source, roots, nowMs })).map((it) => ({ where, ...it })),
      );
      before = digestOfPayload(document);
    } catch (thrown) {
      problems.push({ where, kind: 'unreadable', message: messageOf(thrown) });
      before = null;
    }
  }
  return { versions: version - 1, problems };
}

interface Looking {
  version: number;
  before: string | null;
  source: PublishedSource;
  roots: TrustedRoots;
  nowMs: number;
}

type Found = Omit<Problem, 'where'>;

async function problemsOf(document: SignedDocument, looking: Looking): Promise<Found[]> {
  const payload = approvalOf(payloadOf(document, 'the approval', LIMITS.approvalBytes));
  const { version, before, roots, nowMs } = looking;
  const out: Found[] = [];
  if (payload.version !== version)
    out.push({ kind: 'order', message: `version ${payload.version} stands in its place` });
  if (payload.previous !== before) out.push({ kind: 'chain', message: 'it does not follow the version before' });
  await roots.reach(payload.root);
  const root = roots.at(payload.root);
  if (root === null) return [...out, { kind: 'signature', message: `trust root ${payload.root} is not known` }];
  try {
    await verifyApproval({ document, root, accepted: () => false, nowMs });
  } catch (thrown) {
    out.push({ kind: 'signature', message: messageOf(thrown) });
  }
  return [...out, ...(await documentProblems(payload, looking))];
}

async function documentProblems(payload: Approval, { source, version }: Looking): Promise<Found[]> {
  const bytes = await source.documents(version);
  if (digestOf(bytes) !== payload.documents.digest)
    return [{ kind: 'documents', message: 'its documents are not those that were approved' }];
  const slices = slicesOf(parseBundle(bytes));
  const tree = sliceTree(slices.map(({ point, digest }) => ({ point, rulesDigest: digest })));
  if (tree.root === payload.slices.root) return [];
  return [{ kind: 'slices', message: 'the rules that come out of its documents are not those that were approved' }];
}
