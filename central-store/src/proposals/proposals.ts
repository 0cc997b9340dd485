import type { Approval, Digest, SignedDocument, TrustRoot } from '@edgeward/policy-format';
import type { Predecessor, Slice } from '../bundle/approval-payload.ts';
import type { Bundle } from '../bundle/bundle.ts';
import type { Actor } from '../record/attempt.ts';
import type { PublishedVersion } from './versions.ts';

export type { PublishedVersion } from './versions.ts';

/** What people propose, approve and publish. Every attempt is on the record before it has an effect. */
export interface Proposals {
  /** Throws EDW_ERR_STORE_ROLE, EDW_ERR_PROPOSAL_…, EDW_ERR_STORE_OUTDATED. `dryRun` leaves nothing but an entry. */
  propose(
    actor: Actor,
    submission: { approval: SignedDocument; bundle: Uint8Array; dryRun?: boolean },
  ): Promise<ProposalView>;
  proposeRoot(
    actor: Actor,
    submission: { root: SignedDocument; reason: string; dryRun?: boolean },
  ): Promise<ProposalView>;
  /** Newest first; those that are closed as well. */
  list(): ProposalSummary[];
  /** Throws EDW_ERR_PROPOSAL_UNKNOWN. */
  view(id: string): ProposalView;
  /**
   * Canonical documents of one that is open or was published; of a root proposal there are none. Throws
   * EDW_ERR_PROPOSAL_UNKNOWN, EDW_ERR_PROPOSAL_CLOSED, EDW_ERR_STORE_OUTDATED.
   */
  documents(id: string): Promise<Uint8Array>;
  /** `document` is the proposal's payload with the approver's own signature; others in it are passed over. */
  approve(
    actor: Actor,
    id: string,
    submission: { document: SignedDocument; reason: string; dryRun?: boolean },
  ): Promise<ProposalView>;
  /** By an approver, or by whoever proposed it. */
  reject(actor: Actor, id: string, submission: { reason: string; dryRun?: boolean }): Promise<ProposalView>;
  /**
   * Puts an approved one into force: a version, or a trust root. Break-glass on top of a version whose roll-out is not done
   * has to name that version in `onTopOf`, and nothing else may. Throws EDW_ERR_ROLLOUT_STATE, EDW_ERR_PROPOSAL_INPUT as well.
   */
  publish(actor: Actor, id: string, options?: { dryRun?: boolean; onTopOf?: number }): Promise<Published>;
  /** The newest; null before the first. */
  current(): PublishedVersion | null;
  /** Throws EDW_ERR_VERSION_UNKNOWN. Its digest is that of the approval's payload. */
  version(version: number): PublishedVersion;
  versions(): PublishedVersion[];
  bundle(version: number): Promise<Bundle>;
  /** Of all its points, by name. Throws EDW_ERR_VERSION_UNKNOWN, EDW_ERR_STORE_FOLDER. */
  slices(version: number): AsyncIterable<Slice>;
  /** What the next proposal builds on: hand it to `computeApprovalPayload`. */
  predecessor(): Promise<Predecessor | null>;
  /** Break-glass versions that nobody has followed up. */
  followUps(): FollowUp[];
  closeFollowUp(actor: Actor, version: number, submission: { reason: string }): Promise<void>;
  /** Called after something was published, in order. The answer stops it. */
  onPublished(listener: (published: Published) => void): () => void;
  /** Settles when what was begun is done; what comes later is refused, as the record is closed then. */
  close(): Promise<void>;
}

export interface ProposalSummary {
  id: string;
  kind: 'policy' | 'root';
  state: ProposalState;
  proposedBy: string;
  proposedAt: string;
  expiresAt: string;
  reason: string;
  /** Of the payload: what is signed. */
  digest: Digest;
  approvals: { needed: number; given: GivenApproval[] };
}

export interface GivenApproval {
  person: string;
  at: string;
  reason: string;
}

/** `approved`: has the signatures that it needs. `outdated`: another version was published since. */
export type ProposalState = 'open' | 'approved' | 'rejected' | 'expired' | 'outdated' | 'published';

export type ProposalView = ProposalSummary & {
  /** With every signature that was accepted. */
  document: SignedDocument;
  payload: Approval | TrustRoot;
  rejected: { by: string; at: string; reason: string } | null;
  /** The version that it became. */
  version: number | null;
};

export type Published = { kind: 'policy'; version: PublishedVersion } | { kind: 'root'; root: TrustRoot };

export interface FollowUp {
  version: number;
  endsAt: string;
  proposedBy: string;
  reason: string;
}
