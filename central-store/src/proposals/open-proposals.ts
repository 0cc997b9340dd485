import { type Digest, digestOf, digestOfPayload, type SignedDocument } from '@edgeward/policy-format';
import { createWorkQueue, type Logger, messageOf } from '@edgeward/runtime';
import { parseBundle } from '../bundle/bundle.ts';
import { type Actor, type Attempt, rehearse, withRecord } from '../record/attempt.ts';
import type { AttemptRecord } from '../record/record.ts';
import { type ContextOptions, openContext } from './context.ts';
import { openFollowUps, requireClosable } from './follow-ups.ts';
import { withApproval } from './given-approval.ts';
import { requireRole } from './people.ts';
import { summaryOf, viewOf } from './proposal-view.ts';
import type { Proposals, ProposalView, Published } from './proposals.ts';
import { readPublication } from './publication.ts';
import { createRecomputing, type RecomputingLimits } from './recomputing.ts';
import { requireReason } from './refusals.ts';
import { slicesFrom, slicesIn } from './slicing.ts';
import { proposalId, readDocuments, type StoredProposal } from './stored-proposal.ts';
import { readSubmittedPolicy } from './submitted-policy.ts';
import { readSubmittedRoot } from './submitted-root.ts';

/**
 * One change at a time, each checked against what the one before left, each on the record first. State is what lies on
 * disk: a proposal has become a version when the version is there, so no crash leaves two stories.
 */
export interface ProposalsOptions extends ContextOptions {
  record: AttemptRecord;
  logger: Logger;
  recomputing?: Partial<RecomputingLimits>;
}

/** What an attempt comes to: worked out first, written down after the record has it. */
interface Step<T> {
  digest?: string;
  target?: string;
  result: T;
  save(): Promise<void>;
}

const MAX_SLICED = 2;

type PolicySubmission = Parameters<Proposals['propose']>[1];

export async function openProposals(options: ProposalsOptions): Promise<Proposals> {
  const { record, roots, logger } = options;
  const context = await openContext(options);
  const listeners = new Set<(published: Published) => void>();
  const queue = createWorkQueue();
  const recomputing = createRecomputing(options.recomputing);
  /**
   * Slices that were computed with a proposal, by the digest of its documents: when it is published every point waits for
   * them. Of the last ones, as what is not published soon is computed again.
   */
  const sliced = new Map<Digest, Uint8Array>();
  /** With what is not in the queue yet. */
  const proposing = new Set<Promise<unknown>>();

  /** After each one, also when it came to nothing: meanwhile others may have expired. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    return queue.run(async () => {
      try {
        return await work();
      } finally {
        await sweep();
      }
    });
  }

  async function sweep(): Promise<void> {
    try {
      await context.sweep();
    } catch (thrown) {
      logger.warn({ event: 'documents_not_removed', error: messageOf(thrown) }, 'tried again after the next attempt');
    }
  }

  await sweep();

  function attempt<T>(about: Attempt, dryRun: boolean | undefined, check: () => Promise<Step<T>>): Promise<T> {
    return inTurn(async () => {
      if (dryRun === true) return (await rehearse<Step<T>>(record, about, { check, about: fieldsOf })).result;
      const effect = async (step: Step<T>): Promise<T> => {
        await step.save();
        return step.result;
      };
      return await withRecord<Step<T>, T>(record, about, { check, about: fieldsOf, effect });
    });
  }

  const view = (proposal: StoredProposal): ProposalView => viewOf(proposal, context.facts());

  function tell(published: Published): void {
    for (const listener of listeners) {
      try {
        listener(published);
      } catch (thrown) {
        logger.error({ event: 'published_listener_failed', error: messageOf(thrown) }, 'a listener failed');
      }
    }
  }

  return {
    async propose(actor, submission) {
      const working = propose(actor, submission);
      proposing.add(working);
      try {
        return view(await working);
      } finally {
        proposing.delete(working);
      }
    },
    async proposeRoot(actor, submission) {
      const about = { ...aboutProposing(actor, 'proposal.propose-root', submission.root), reason: submission.reason };
      const proposal = await attempt(about, submission.dryRun, async () => {
        const read = await readSubmittedRoot(actor, submission, roots.newest(), context.nowMs());
        context.requireRoom({ proposer: actor.name, digest: read.digest, approval: null });
        return addition(read);
      });
      return view(proposal);
    },
    async approve(actor, id, submission) {
      const about = { actor, action: 'proposal.approve', target: targetOf(id), reason: submission.reason };
      const proposal = await attempt(about, submission.dryRun, async () => {
        requireReason(submission.reason, 'approving');
        const open = context.findOpen(id);
        return change(await withApproval(actor, open, submission, roots.newest(), context.nowMs()));
      });
      return view(proposal);
    },
    async reject(actor, id, { reason, dryRun }) {
      const about = { actor, action: 'proposal.reject', target: targetOf(id), reason };
      const proposal = await attempt(about, dryRun, async () => {
        requireReason(reason, 'rejecting');
        const open = context.findOpen(id);
        if (open.proposedBy !== actor.name) requireRole(roots.newest(), actor, ['approver'], 'rejecting');
        const at = new Date(context.nowMs()).toISOString();
        return change({ ...open, rejected: { by: actor.name, at, reason } });
      });
      return view(proposal);
    },
    async publish(actor, id, { dryRun, onTopOf } = {}) {
      const about = { actor, action: 'proposal.publish', target: targetOf(id) };
      return await attempt(about, dryRun, async () => {
        const { digest, published, save } = await readPublication(context, actor, id, onTopOf);
        const saveAndTell = async (): Promise<void> => {
          await save();
          tell(published);
        };
        return { digest, result: published, save: saveAndTell };
      });
    },
    async closeFollowUp(actor, version, { reason }) {
      const about = { actor, action: 'follow-up.close', target: `version/${version}`, reason };
      await attempt(about, false, async () => {
        requireClosable(context, actor, version, reason);
        const at = new Date(context.nowMs()).toISOString();
        return { result: null, save: () => context.versions.close(version, { by: actor.name, at, reason }) };
      });
    },
    list: () =>
      context
        .all()
        .map((it) => summaryOf(it, context.facts()))
        .sort((a, b) => (a.proposedAt < b.proposedAt ? 1 : -1)),
    view: (id) => view(context.find(id)),
    async documents(id) {
      const proposal = context.find(id);
      if (proposal.kind === 'root') return new Uint8Array();
      const { version } = view(proposal);
      if (version !== null) return await context.versions.documents(version);
      context.findOpen(id);
      return await readDocuments(context.dir, id);
    },
    current: () => context.versions.newest(),
    version: (version) => context.versions.at(version),
    versions: () => context.versions.all(),
    bundle: (version) => context.versions.bundle(version),
    async *slices(version) {
      const lines = sliced.get(context.versions.at(version).payload.documents.digest);
      if (lines === undefined) return yield* slicesIn(await context.versions.documents(version));
      sliced.clear();
      yield* slicesFrom(lines);
    },
    async predecessor() {
      const basis = context.basis();
      return basis === null ? null : { ...basis, approved: parseBundle(await basis.approved.read()) };
    },
    followUps: () => openFollowUps(context.versions),
    onPublished(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      while (proposing.size > 0) await Promise.allSettled(proposing);
      await queue.settled();
    },
  };

  /**
   * It is computed again before its turn: that may take long, and others decide meanwhile. It comes out of the trust root and
   * the version that the payload names, and in its turn these still have to be the newest.
   */
  async function propose(actor: Actor, submission: PolicySubmission): Promise<StoredProposal> {
    const about = aboutProposing(actor, 'proposal.propose', submission.approval);
    const found = await recomputed(actor, submission).catch((thrown: unknown) => ({ thrown }));
    return await attempt(about, submission.dryRun, async () => {
      if (found !== undefined) throw found.thrown;
      return addition(await readSubmittedPolicy(actor, submission, context.standing()), submission.bundle);
    });
  }

  async function recomputed(actor: Actor, submission: PolicySubmission): Promise<void> {
    const standing = context.standing();
    const { root, previous } = standing;
    const { payload } = await readSubmittedPolicy(actor, submission, standing);
    const inventory = options.inventory ?? null;
    const lines = await recomputing.run({ payload, root, documents: submission.bundle, previous, inventory });
    if (lines === null) return;
    sliced.set(digestOf(submission.bundle), lines);
    for (const digest of [...sliced.keys()].slice(0, -MAX_SLICED)) sliced.delete(digest);
  }

  function change(proposal: StoredProposal): Step<StoredProposal> {
    return { digest: proposal.digest, result: proposal, save: () => context.save(proposal) };
  }

  /** Sent twice because an answer was lost: what has happened to it since stays, and documents that it lost come back. */
  function addition(proposal: StoredProposal, documents?: Uint8Array): Step<StoredProposal> {
    const known = context.all().find((it) => it.id === proposal.id);
    const result = known ?? proposal;
    const save = async (): Promise<void> => {
      if (known === undefined) await context.save(proposal, documents);
      else if (documents !== undefined) await context.saveMissing(known, documents);
    };
    return { digest: proposal.digest, target: targetOf(proposal.id), result, save };
  }
}

function fieldsOf({ digest, target }: Step<unknown>): { digest?: string; target?: string } {
  return { ...(digest === undefined ? {} : { digest }), ...(target === undefined ? {} : { target }) };
}

function targetOf(id: string): string {
  return `proposal/${id}`;
}

/** What is refused is on the record with the digest of what was handed in, where it has one. */
function aboutProposing(actor: Actor, action: string, document: SignedDocument): Attempt {
  try {
    const digest = digestOfPayload(document);
    return { actor, action, target: targetOf(proposalId(digest)), digest };
  } catch {
    return { actor, action, target: 'proposal' };
  }
}
