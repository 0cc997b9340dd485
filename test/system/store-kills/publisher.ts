/**
 * Versions of the policy, one after the other, by people who try again until it is done: proposed, approved, published, and
 * in between by somebody who may not. Every answer that the store gave is kept: what it acknowledged has to be in its record.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { computeApprovalPayload, type Predecessor } from '@edgeward/central-store';
import { addSignature, digestOfPayload, type SignedDocument, sign, type TrustRoot } from '@edgeward/policy-format';
import { bundleOfVersion } from './estate.ts';
import type { Call, Name, People, PersonAnswer } from './people.ts';

/** One answer of the store to somebody who wanted something done. */
export interface Acknowledged {
  actor: Name;
  action: string;
  /** The proposal. */
  id: string;
  outcome: 'allowed' | 'refused';
}

export interface Publisher {
  /** The newest that the store said is published; 0 before the first. */
  version(): number;
  readonly acknowledged: Acknowledged[];
  /** Answers that say that nothing was done, by code. */
  readonly failures: Map<string, number>;
  /** Until one version more is published. Rejects after a number of attempts. */
  publishOne(): Promise<void>;
  /** One after the other, with these pauses, until stopped. */
  begin(pauseMs: () => number): void;
  stop(): Promise<void>;
}

interface Draft {
  version: number;
  approval: SignedDocument;
  documents: string;
  next: Predecessor;
}

const ATTEMPTS = 400;
const RETRY_MS = 150;
const WAY_BACK_MS = 3_600_000;

export function publisherOf(of: { people: People; root: TrustRoot; port: number }): Publisher {
  const { people, root, port } = of;
  const acknowledged: Acknowledged[] = [];
  const failures = new Map<string, number>();
  let previous: Predecessor | null = null;
  let draft: Draft | null = null;
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();

  /** Null where nobody knows what became of it. */
  async function attempt(actor: Name, action: string, call: Call, id = ''): Promise<PersonAnswer | null> {
    const answer = await people.ask(actor, port, call).catch(() => null);
    if (answer === null) return note('no answer');
    const { status, json } = answer;
    if (status < 300) acknowledged.push({ actor, action, id: id || idIn(json), outcome: 'allowed' });
    else if (status < 500 && status !== 429) acknowledged.push({ actor, action, id, outcome: 'refused' });
    else return note(codeIn(json));
    return answer;
  }

  function note(code: string): null {
    failures.set(code, (failures.get(code) ?? 0) + 1);
    return null;
  }

  /** Whether the version is in force; what was done already is done again without harm. */
  async function tryOnce({ approval, documents }: Draft): Promise<boolean> {
    const proposed = await attempt('ada', 'proposal.propose', { path: '/v1/proposals', body: { approval, documents } });
    if (proposed === null) return false;
    const id = idIn(proposed.json);
    const path = `/v1/proposals/${id}`;
    const document = await addSignature({ ...approval, signatures: [] }, 'edgeward-approval/1', people.keys.cleo);
    const body = { document, reason: 'looked at it' };
    await attempt('cleo', 'proposal.approve', { path: `${path}/signatures`, body }, id);
    await attempt('flo', 'proposal.publish', { path: `${path}/publish`, body: {} }, id);
    const published = await attempt('eve', 'proposal.publish', { path: `${path}/publish`, body: {} }, id);
    return (published?.status ?? 0) === 200 || (await isNewest(approval));
  }

  /** An answer may have been lost. */
  async function isNewest(approval: SignedDocument): Promise<boolean> {
    const newest = await people.ask('eve', port, { path: '/v1/versions/newest' }).catch(() => null);
    if (newest?.status !== 200) return false;
    return (newest.json as { digest: string }).digest === digestOfPayload(approval);
  }

  async function publishOne(): Promise<void> {
    draft ??= await draftAfter(previous, root, people);
    for (let tried = 0; tried < ATTEMPTS; tried += 1) {
      if (await tryOnce(draft)) {
        previous = draft.next;
        draft = null;
        return;
      }
      await sleep(RETRY_MS);
      if (isStopped) return;
    }
    throw new Error(`version ${draft.version} could not be published: ${[...failures.keys()].join(', ')}`);
  }

  async function run(pauseMs: () => number): Promise<void> {
    while (!isStopped) {
      await publishOne();
      await sleep(pauseMs());
    }
  }

  return {
    version: () => previous?.approval.version ?? 0,
    acknowledged,
    failures,
    async publishOne() {
      isStopped = false;
      await publishOne();
    },
    begin(pauseMs) {
      running = run(pauseMs);
      running.catch(() => {}); // told by stop()
    },
    async stop() {
      isStopped = true;
      await running;
    },
  };
}

async function draftAfter(previous: Predecessor | null, root: TrustRoot, people: People): Promise<Draft> {
  const version = (previous?.approval.version ?? 0) + 1;
  const bundle = bundleOfVersion(version);
  const nowMs = Date.now();
  const { payload } = computeApprovalPayload({
    ...{ bundle, previous, root, proposedBy: 'ada', reason: `CHG-${version}`, nowMs },
    // A roll-out that stops goes back, and everybody sees that it did.
    ...(previous === null ? {} : { returnUntilMs: nowMs + WAY_BACK_MS }),
  });
  const approval = await sign(payload, [people.keys.ada]);
  const next = { approval: payload, digest: digestOfPayload(approval), approved: bundle };
  return { version, approval, documents: Buffer.from(bundle.bytes).toString(), next };
}

function idIn(json: unknown): string {
  return typeof json === 'object' && json !== null && 'id' in json ? String(json.id) : '';
}

function codeIn(json: unknown): string {
  const { error } = (json ?? {}) as { error?: { code?: unknown } };
  return typeof error?.code === 'string' ? error.code : 'no code';
}
