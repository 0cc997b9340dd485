import { join } from 'node:path';
import type { SourceDocument } from '@edgeward/policy';
import { type Approval, digestOf } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import type { TrustRoots } from '../folder/trust-roots.ts';
import { type Basis, basisOf } from './basis.ts';
import { type GlassGround, requireGround } from './glass-ground.ts';
import { type Facts, stateOf } from './proposal-view.ts';
import { refusal } from './refusals.ts';
import { type Coming, OPEN_LIMITS, type OpenLimits, requireRoom } from './room.ts';
import {
  hasDocuments,
  proposalIdsIn,
  removeDocuments,
  type StoredProposal,
  saveDocuments,
  saveProposal,
} from './stored-proposal.ts';
import type { Standing } from './submitted-policy.ts';
import { openVersions, type Versions } from './versions.ts';

/** What a decision about proposals looks at, and the two places where one is written down. */
export interface ProposalContext {
  dir: string;
  roots: TrustRoots;
  versions: Versions;
  nowMs(): number;
  facts(): Facts;
  all(): StoredProposal[];
  /** Throws EDW_ERR_PROPOSAL_UNKNOWN. */
  find(id: string): StoredProposal;
  /** Throws EDW_ERR_PROPOSAL_CLOSED, EDW_ERR_STORE_OUTDATED. */
  findOpen(id: string): StoredProposal;
  basis(): Basis | null;
  standing(): Standing;
  /** Throws EDW_ERR_ROLLOUT_STATE. */
  requireGround(payload: Approval, onTopOf: number | undefined): void;
  /** Throws EDW_ERR_PROPOSAL_LIMIT. */
  requireRoom(coming: Coming): void;
  save(proposal: StoredProposal, documents?: Uint8Array): Promise<void>;
  /** Of one that is open and has none any more, because a clock was ahead for a while; others are passed over. */
  saveMissing(proposal: StoredProposal, documents: Uint8Array): Promise<void>;
  /** Takes away the documents of all that are not open any more: those that were published are with their version. */
  sweep(): Promise<void>;
}

export interface ContextOptions {
  /** Of the store. */
  dir: string;
  roots: TrustRoots;
  /** All proposals on disk. */
  stored: readonly StoredProposal[];
  clock: Clock;
  inventory?: () => Iterable<SourceDocument>;
  /** How far what was published is, for break-glass on top of it. Without it nobody rolls anything out. */
  rollout?: () => GlassGround;
  limits?: Partial<OpenLimits>;
}

export async function openContext(options: ContextOptions): Promise<ProposalContext> {
  const { roots, clock } = options;
  const dir = join(options.dir, 'proposals');
  const versions = await openVersions(join(options.dir, 'versions'));
  const proposals = new Map(options.stored.map((it) => [it.id, it]));
  /** Whose documents are on disk, also of what was cut off before it was a proposal. */
  const kept = new Set(await proposalIdsIn(dir));
  const limits = { ...OPEN_LIMITS, ...options.limits };
  const basis = (): Basis | null => basisOf(versions);
  const nowMs = (): number => clock.now();
  const facts = (): Facts => ({ nowMs: nowMs(), roots, versions: versions.all() });
  const find = (id: string): StoredProposal => {
    const found = proposals.get(id);
    if (found !== undefined) return found;
    throw refusal('EDW_ERR_PROPOSAL_UNKNOWN', `looking for the proposal '${id.slice(0, 64)}': there is none`);
  };
  const open = (): StoredProposal[] => {
    const now = facts();
    return [...proposals.values()].filter((it) => isOpen(it, now));
  };
  const requireRoomFor = (coming: Coming): void => requireRoom(open(), coming, limits);
  return {
    dir,
    roots,
    versions,
    nowMs,
    facts,
    find,
    basis,
    all: () => [...proposals.values()],
    findOpen(id) {
      const proposal = find(id);
      requireOpen(proposal, facts());
      return proposal;
    },
    standing() {
      const now = { root: roots.newest(), previous: basis(), versions: versions.all(), nowMs: nowMs() };
      return { ...now, requireRoom: requireRoomFor };
    },
    requireGround(payload, onTopOf) {
      requireGround(payload, options.rollout?.() ?? null, onTopOf);
    },
    requireRoom: requireRoomFor,
    async save(proposal, documents) {
      if (documents !== undefined) {
        kept.add(proposal.id);
        await saveDocuments(dir, proposal.id, documents);
      }
      await saveProposal(dir, proposal);
      proposals.set(proposal.id, proposal);
    },
    async saveMissing(proposal, documents) {
      const isOf = proposal.kind === 'policy' && proposal.payload.documents.digest === digestOf(documents);
      if (!isOf || !isOpen(proposal, facts()) || (await hasDocuments(dir, proposal.id))) return;
      kept.add(proposal.id);
      await saveDocuments(dir, proposal.id, documents);
    },
    async sweep() {
      const needed = new Set(open().map(({ id }) => id));
      const failures: unknown[] = [];
      for (const id of [...kept].filter((it) => !needed.has(it))) {
        // One that can not be removed keeps no others.
        await removeDocuments(dir, id).then(
          () => kept.delete(id),
          (thrown: unknown) => failures.push(thrown),
        );
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

function isOpen(proposal: StoredProposal, facts: Facts): boolean {
  const state = stateOf(proposal, facts);
  return state === 'open' || state === 'approved';
}

function requireOpen(proposal: StoredProposal, facts: Facts): void {
  const state = stateOf(proposal, facts);
  if (state === 'open' || state === 'approved') return;
  const what = `looking at the proposal ${proposal.id}`;
  if (state === 'outdated')
    throw refusal('EDW_ERR_STORE_OUTDATED', `${what}: something else was published after it was made`);
  throw refusal('EDW_ERR_PROPOSAL_CLOSED', `${what}: it is ${state}`);
}
