import { join } from 'node:path';
import type { SourceDocument } from '@edgeward/policy';
import type { Approval } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import type { Predecessor } from '../bundle/approval-payload.ts';
import type { Bundle } from '../bundle/bundle.ts';
import type { TrustRoots } from '../folder/trust-roots.ts';
import type { Actor } from '../record/attempt.ts';
import { type GlassGround, requireGround } from './glass-ground.ts';
import { type Facts, stateOf } from './proposal-view.ts';
import { refusal } from './refusals.ts';
import { readProposals, type StoredProposal, saveDocuments, saveProposal } from './stored-proposal.ts';
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
  predecessor(): Promise<Predecessor | null>;
  standing(): Promise<Standing>;
  /** Throws EDW_ERR_ROLLOUT_STATE. */
  requireGround(payload: Approval, onTopOf: number | undefined): void;
  requireRoom(actor: Actor): void;
  save(proposal: StoredProposal, documents?: Uint8Array): Promise<void>;
}

export interface ContextOptions {
  /** Of the store. */
  dir: string;
  roots: TrustRoots;
  clock: Clock;
  inventory?: () => readonly SourceDocument[];
  /** How far what was published is, for break-glass on top of it. Without it nobody rolls anything out. */
  rollout?: () => GlassGround;
}

/** Open at one time, of everybody and of one proposer. */
const MAX_OPEN = 200;
const MAX_OPEN_EACH = 20;

export async function openContext(options: ContextOptions): Promise<ProposalContext> {
  const { roots, clock } = options;
  const dir = join(options.dir, 'proposals');
  const versions = await openVersions(join(options.dir, 'versions'));
  const proposals = new Map((await readProposals(dir)).map((it) => [it.id, it]));
  const predecessor = predecessorOf(versions);
  const nowMs = (): number => clock.now();
  const facts = (): Facts => ({ nowMs: nowMs(), roots, versions: versions.all() });
  const find = (id: string): StoredProposal => {
    const found = proposals.get(id);
    if (found !== undefined) return found;
    throw refusal('EDW_ERR_PROPOSAL_UNKNOWN', `looking for the proposal '${id.slice(0, 64)}': there is none`);
  };
  return {
    dir,
    roots,
    versions,
    nowMs,
    facts,
    find,
    predecessor,
    all: () => [...proposals.values()],
    findOpen(id) {
      const proposal = find(id);
      requireOpen(proposal, facts());
      return proposal;
    },
    async standing() {
      const previous = await predecessor();
      const inventory = options.inventory?.();
      return { root: roots.newest(), previous, versions: versions.all(), nowMs: nowMs(), inventory };
    },
    requireGround(payload, onTopOf) {
      requireGround(payload, options.rollout?.() ?? null, onTopOf);
    },
    requireRoom(actor) {
      const now = facts();
      const open = [...proposals.values()].filter((it) => isOpen(it, now));
      const own = open.filter((it) => it.proposedBy === actor.name).length;
      if (open.length < MAX_OPEN && own < MAX_OPEN_EACH) return;
      throw refusal('EDW_ERR_PROPOSAL_LIMIT', `proposing: ${open.length} proposals are open, ${own} of ${actor.name}`);
    },
    async save(proposal, documents) {
      if (documents !== undefined) await saveDocuments(dir, proposal.id, documents);
      await saveProposal(dir, proposal);
      proposals.set(proposal.id, proposal);
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

/** Documents of the newest version that was approved in full are kept: every proposal is measured against them. */
function predecessorOf(versions: Versions): () => Promise<Predecessor | null> {
  let kept: { version: number; bundle: Bundle } | null = null;
  return async () => {
    const newest = versions.newest();
    const full = versions.newestInFull();
    if (newest === null || full === null) return null;
    if (kept?.version !== full.version) kept = { version: full.version, bundle: await versions.bundle(full.version) };
    return { approval: newest.payload, digest: newest.digest, approved: kept.bundle };
  };
}
