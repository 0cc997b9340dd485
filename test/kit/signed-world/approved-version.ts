/** One version of what people decided, signed by them: the approval, and for each point its slice as blobs. */
import type { PointRules } from '@edgeward/policy';
import {
  type Approval,
  type Blob,
  canonicalJson,
  type Digest,
  digestOf,
  digestOfPayload,
  type Risk,
  rulesBytes,
  type SignedDocument,
  type SigningKey,
  sign,
  sliceTree,
  type TrustRoot,
} from '@edgeward/policy-format';
import type { PersonName, WorldKeys } from './first-root.ts';

export interface VersionOptions {
  /** Default: alice proposes, bob approves. The proposer signs only if named here. */
  signers?: PersonName[];
  proposedBy?: PersonName;
  risks?: Risk[];
  /** Default 1. */
  approvals?: number;
  reason?: string;
  /** Break-glass for so long; alone is then bob, who proposes. */
  breakGlassMs?: number;
  /** How long the store may return to the version before. Default: never. */
  returnMs?: number;
  /** Beside those of the signers: second keys, stolen keys, keys of nobody. */
  moreKeys?: SigningKey[];
  /** Other bytes than the canonical ones, for a slice that people would have to be tricked into signing. */
  bytesOf?: (rules: PointRules) => Uint8Array;
  /** Whatever else is to be signed, right or wrong. */
  change?: (approval: Approval) => Approval;
}

export interface Version {
  approval: Approval;
  signed: SignedDocument;
  /** Of the payload. */
  digest: Digest;
  slices: Map<string, VersionSlice>;
}

export interface VersionSlice {
  rules: PointRules;
  rulesBlob: Blob;
  approvalBlob: Blob;
}

interface Task {
  rules: readonly PointRules[];
  before: Version | null;
  root: TrustRoot;
  keys: WorldKeys;
  nowMs: number;
  put: (bytes: Uint8Array) => Blob;
  options: VersionOptions;
}

export async function approvedVersion(task: Task): Promise<Version> {
  const { options, put } = task;
  const slices = [...task.rules].sort((a, b) => (a.point < b.point ? -1 : 1));
  const blobs = slices.map((slice) => put((options.bytesOf ?? rulesBytes)(slice)));
  const tree = sliceTree(slices.map(({ point }, at) => ({ point, rulesDigest: blobs[at]?.digest ?? '' })));
  const drafted = draftOf(task, { root: tree.root, count: slices.length });
  const approval = options.change?.(drafted) ?? drafted;
  const alone: PersonName[] = options.breakGlassMs === undefined ? ['alice', 'bob'] : ['bob'];
  const signers = (options.signers ?? alone).map((name) => task.keys.people[name]);
  const signed = await sign(approval, [...signers, ...(options.moreKeys ?? [])]);
  const bySlice = new Map<string, VersionSlice>();
  slices.forEach((rules, index) => {
    const approvalBlob = put(Buffer.from(canonicalJson({ approval: signed, index, path: tree.proof(index) })));
    bySlice.set(rules.point, { rules, rulesBlob: blobs[index] as Blob, approvalBlob });
  });
  return { approval, signed, digest: digestOfPayload(signed), slices: bySlice };
}

function draftOf({ before, root, nowMs, options, rules }: Task, slices: Approval['slices']): Approval {
  const at = (ms: number): string => new Date(nowMs + ms).toISOString();
  const bundle = canonicalJson(rules);
  const isGlass = options.breakGlassMs !== undefined;
  return {
    typ: 'edgeward-approval/1',
    store: root.store,
    root: root.version,
    version: (before?.approval.version ?? 0) + 1,
    previous: before?.digest ?? null,
    documents: { digest: digestOf(bundle), bytes: bundle.length, count: rules.length },
    slices,
    proposedBy: options.proposedBy ?? (isGlass ? 'bob' : 'alice'),
    proposedAt: at(0),
    expiresAt: at(24 * HOUR_MS),
    reason: options.reason ?? 'CHG-1',
    risks: options.risks ?? [],
    approvals: options.approvals ?? 1,
    breakGlass: isGlass ? { endsAt: at(options.breakGlassMs ?? 0) } : null,
    returnUntil: options.returnMs === undefined ? null : at(options.returnMs),
  };
}

const HOUR_MS = 3_600_000;
