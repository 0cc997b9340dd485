/**
 * A proposal as this machine finds it: what was signed, computed again from the documents that came along, and whose
 * signatures hold. Nothing that the store says of it is taken over but the words of people about their reasons.
 */
import { type Bundle, type ComputedPayload, parseBundle, recomputeApproval } from '@edgeward/central-store';
import {
  type Approval,
  approvalOf,
  type Digest,
  digestOf,
  digestOfPayload,
  digestOfRoot,
  LIMITS,
  payloadOf,
  type TrustRoot,
  trustRootOf,
} from '@edgeward/policy-format';
import type { OpenedProposal } from '../client/store-answers.ts';
import type { StoreClient } from '../client/store-client.ts';
import { distrust } from './distrust.ts';
import { namesWhoSigned, namesWithRole } from './signatures.ts';
import type { TrustedStore } from './trusted-store.ts';

export type Opened = OpenedPolicy | OpenedRoot;

interface OpenedFields {
  id: string;
  digest: Digest;
  /** As the store has it: state, reasons of those who approved. */
  shown: OpenedProposal;
  /** Who can approve and has not. */
  missing: string[];
  /** Who has approved, by signatures that hold. */
  approvers: string[];
  needed: number;
}

export type OpenedPolicy = OpenedFields & {
  kind: 'policy';
  payload: Approval;
  bundle: Bundle;
  computed: ComputedPayload;
  proposedBy: string;
};

export type OpenedRoot = OpenedFields & {
  kind: 'root';
  payload: TrustRoot;
  before: TrustRoot;
  /** Who signed it first, as the store says; a trust root names nobody. */
  proposedBy: string;
};

export function proposalIdOf(digest: Digest): string {
  return digest.slice(0, 16);
}

/** Which one is looked at, and when. */
export interface Wanted {
  id: string;
  /** Of the payload; null where only the id is known. */
  exactly: Digest | null;
  nowMs: number;
}

/** Throws EDW_ERR_STORE_TAMPERED, EDW_ERR_STORE_OUTDATED, EDW_ERR_PROPOSAL_…, EDW_ERR_BUNDLE, EDW_ERR_FORMAT_…. */
export async function openProposal(
  client: StoreClient,
  trusted: TrustedStore,
  { id, exactly, nowMs }: Wanted,
): Promise<Opened> {
  const shown = await client.proposal(id);
  const digest = digestOfPayload(shown.document);
  // An id is short: who proposes could search for two payloads that share one. Nobody can for the whole digest.
  if (proposalIdOf(digest) !== id || shown.id !== id || (exactly !== null && digest !== exactly))
    throw distrust('EDW_ERR_STORE_TAMPERED', `looking at the proposal ${id}: what is shown is another one`);
  const opened = { id, digest, shown };
  return shown.kind === 'root'
    ? await openRoot(opened, trusted)
    : await openPolicy(opened, trusted, nowMs, await client.proposalDocuments(id));
}

type Begun = Pick<OpenedFields, 'id' | 'digest' | 'shown'>;

async function openPolicy(
  begun: Begun,
  trusted: TrustedStore,
  nowMs: number,
  bytes: Uint8Array,
): Promise<OpenedPolicy> {
  const what = `looking at the proposal ${begun.id}`;
  const { document } = begun.shown;
  const payload = approvalOf(payloadOf(document, 'the proposed approval', LIMITS.approvalBytes));
  const root = trusted.roots.newest;
  requireBasis(payload, trusted, what);
  requireTimes(payload, root, nowMs, what);
  if (digestOf(bytes) !== payload.documents.digest)
    throw distrust('EDW_ERR_STORE_TAMPERED', `${what}: its documents are not those that were signed`);
  const bundle = parseBundle(bytes);
  const computed = recomputeApproval(payload, { bundle, previous: trusted.previous, root });
  const signed = await namesWhoSigned(document, payload.typ, root);
  const { proposedBy } = payload;
  if (!signed.includes(proposedBy))
    throw distrust('EDW_ERR_STORE_TAMPERED', `${what}: it does not carry the signature of ${proposedBy}`);
  const counts = namesWithRole(root, 'approver').filter((name) => payload.breakGlass !== null || name !== proposedBy);
  return {
    ...begun,
    kind: 'policy',
    payload,
    bundle,
    computed,
    proposedBy,
    approvers: counts.filter((name) => signed.includes(name)),
    missing: counts.filter((name) => !signed.includes(name)),
    needed: payload.approvals,
  };
}

/** Of this store, and on top of what is in force; a proposal that is published or overtaken is nobody's to sign. */
function requireBasis(payload: Approval, { roots, previous }: TrustedStore, what: string): void {
  if (payload.store !== roots.newest.store)
    throw distrust('EDW_ERR_STORE_TAMPERED', `${what}: it was made for another store`);
  if (payload.root === roots.newest.version && payload.previous === (previous?.digest ?? null)) return;
  throw distrust(
    'EDW_ERR_STORE_OUTDATED',
    `${what}: it is version ${payload.version} under trust root ${payload.root}; ` +
      `in force are version ${previous?.approval.version ?? 0} and trust root ${roots.newest.version}`,
  );
}

/** What clocks may differ by. */
const SKEW_MS = 5 * 60_000;
const HOUR_MS = 3_600_000;
/** Of the proposal itself, and of the way back after it. */
const MAX_RETURN_MS = (7 + 30) * 24 * HOUR_MS;

/**
 * By the clock of this machine: everything else about a proposal's times is measured from when it says that it was made,
 * and who says that it was made in ten years would hold an approval that is good until then.
 */
function requireTimes(payload: Approval, root: TrustRoot, nowMs: number, what: string): void {
  const { proposedAt, expiresAt, returnUntil, breakGlass } = payload;
  const isBeyond = (instant: string, ms: number): boolean => Date.parse(instant) > nowMs + ms;
  if (!isBeyond(expiresAt, 0)) throw distrust('EDW_ERR_PROPOSAL_CLOSED', `${what}: it expired at ${expiresAt}`);
  if (isBeyond(proposedAt, SKEW_MS))
    throw distrust('EDW_ERR_PROPOSAL_TIME', `${what}: it was made at ${proposedAt}, which is to come`);
  if (returnUntil !== null && isBeyond(returnUntil, MAX_RETURN_MS))
    throw distrust('EDW_ERR_PROPOSAL_TIME', `${what}: points could return until ${returnUntil}`);
  if (breakGlass !== null && isBeyond(breakGlass.endsAt, root.thresholds.breakGlassHours * HOUR_MS + SKEW_MS))
    throw distrust('EDW_ERR_PROPOSAL_TIME', `${what}: its break-glass ends at ${breakGlass.endsAt}`);
}

async function openRoot(begun: Begun, { roots }: TrustedStore): Promise<OpenedRoot> {
  const what = `looking at the proposal ${begun.id}`;
  const { document, proposedBy } = begun.shown;
  const payload = trustRootOf(payloadOf(document, 'the proposed trust root', LIMITS.rootBytes));
  const before = roots.newest;
  if (payload.store !== before.store) throw distrust('EDW_ERR_STORE_TAMPERED', `${what}: it is of another store`);
  if (payload.version !== before.version + 1 || payload.previous !== digestOfRoot(before))
    throw distrust('EDW_ERR_STORE_OUTDATED', `${what}: it does not follow version ${before.version}, the newest`);
  const [old, coming] = [
    await namesWhoSigned(document, payload.typ, before),
    await namesWhoSigned(document, payload.typ, payload),
  ];
  const counts = [...new Set([...namesWithRole(before, 'approver'), ...namesWithRole(payload, 'approver')])];
  const signed = new Set([...old, ...coming]);
  return {
    ...begun,
    kind: 'root',
    payload,
    before,
    proposedBy,
    approvers: counts.filter((name) => signed.has(name)),
    missing: counts.filter((name) => !signed.has(name)),
    needed: Math.max(before.thresholds.root, payload.thresholds.root),
  };
}
