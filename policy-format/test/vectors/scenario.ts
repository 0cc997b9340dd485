/**
 * Writes down what a store does and what a point has to make of it, step by step, for the conformance vectors. What is
 * expected comes from the store's side: nothing here asks the checks themselves.
 */
import {
  canonicalJson,
  type Delta,
  deltaBytes,
  digestOf,
  type Head,
  type SignedDocument,
  stateRootOf,
} from '@edgeward/policy-format';
import {
  createSignedWorld,
  type Members,
  type SignedWorld,
  simpleGroup,
  simpleSlices,
  type WorldOptions,
} from '../../../test/kit/signed-world.ts';
import type { Refusal, Step, Vector, VectorFile } from '../../conformance/vector-files.ts';

export interface Scenario {
  readonly store: SignedWorld;
  /** Offers the store's head, or another one; taken over unless a refusal is named. */
  head(refusal?: Refusal | null, more?: Offer): void;
  delta(delta: Delta | null, refusal?: Refusal | null, more?: Offer): void;
  inForce(ms: number, version: number, untilMs: number | null): void;
  restart(lose: 'nothing' | 'state', refusal?: Refusal): void;
}

export interface Offer {
  document?: SignedDocument;
  /** In place of the bytes of the document. */
  bytes?: Uint8Array;
  serve?: Record<string, Uint8Array | null>;
}

export interface Claim {
  name: string;
  threat?: string;
  world?: WorldOptions;
  /** Default: two points whose `crm` workloads are in one page. */
  members?: Members;
  play: (scenario: Scenario) => Promise<void>;
}

export const POINT = 'edge-1';
export const GROUP: string = simpleGroup();

export const refusal = (stage: string, code: string): Refusal => ({ stage, code: `EDW_ERR_${code}` });

export async function vectorFile(about: string, claims: readonly Claim[]): Promise<VectorFile> {
  const blobs: Record<string, string> = {};
  const documents: Record<string, string> = {};
  const keep = (bytes: Uint8Array): string => {
    const digest = digestOf(bytes);
    documents[digest] = base64(bytes);
    return digest;
  };
  const vectors: Vector[] = [];
  for (const claim of claims) {
    const store = await createSignedWorld(claim.world);
    await store.publish(simpleSlices(), { members: claim.members ?? { [GROUP]: ['10.30.0.1', '10.30.0.2'] } });
    const steps: Step[] = [{ request: beginning(store, keep), expect: { accept: { root: store.root.version } } }];
    await claim.play(scenario(store, steps, keep));
    for (const [digest, bytes] of store.blobs) blobs[digest] = base64(bytes);
    vectors.push({ name: claim.name, ...(claim.threat === undefined ? {} : { threat: claim.threat }), steps });
  }
  return { about, blobs: sorted(blobs), documents: sorted(documents), vectors };
}

type Keep = (bytes: Uint8Array) => string;

function sorted(named: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function beginning(store: SignedWorld, keep: Keep): Step['request'] {
  return { do: 'begin', point: POINT, root: keep(Buffer.from(canonicalJson(store.pinned))) };
}

function scenario(store: SignedWorld, steps: Step[], keep: Keep): Scenario {
  const roots = (): Record<string, string> => {
    const found: Record<string, string> = {};
    for (let version = 2; ; version += 1) {
      const document = store.rootDocument(version);
      if (document === null) return found;
      found[version] = keep(Buffer.from(canonicalJson(document)));
    }
  };
  const offer = (
    what: 'head' | 'delta',
    bytes: Uint8Array,
    head: SignedDocument,
    no: Refusal | null,
    more: Offer,
  ): void => {
    const serve = Object.entries(more.serve ?? {}).map(([digest, it]) => [digest, it === null ? null : base64(it)]);
    steps.push({
      request: { do: what, nowMs: store.nowMs, bytes: keep(more.bytes ?? bytes), roots: roots() },
      ...(serve.length === 0 ? {} : { serve: Object.fromEntries(serve) }),
      expect: no ?? { accept: seen(store, head) },
    });
  };
  return {
    store,
    head(no = null, more = {}) {
      const head = more.document ?? store.head(POINT);
      offer('head', Buffer.from(canonicalJson(head)), head, no, more);
    },
    delta(delta, no = null, more = {}) {
      if (delta === null) throw new Error('there is no such delta');
      offer('delta', deltaBytes(delta), delta.head, no, more);
    },
    inForce(ms, version, untilMs) {
      const rules = [store.at(POINT).version, store.at(POINT).base].find((it) => it?.approval.version === version);
      const digest = rules?.slices.get(POINT)?.rulesBlob.digest;
      steps.push({ request: { do: 'in-force', nowMs: ms }, expect: { accept: { rules: digest, version, untilMs } } });
    },
    restart(lose, no) {
      const accept = lose === 'state' ? {} : seen(store, store.head(POINT));
      steps.push({ request: { do: 'restart', lose, nowMs: store.nowMs }, expect: no ?? { accept } });
    },
  };
}

function seen(store: SignedWorld, document: SignedDocument): Record<string, unknown> {
  const { epoch, revision, stateRoot }: Head = JSON.parse(Buffer.from(document.payload, 'base64url').toString());
  const { book, version } = store.at(POINT);
  const members = Object.fromEntries([...book.groups()].sort().map((group) => [group, book.members(group)]));
  return { epoch, revision, stateRoot, version: version.approval.version, members };
}

/** A head that names other things, with the digest that goes with them: what a store's key can sign. */
export function naming(head: Head, parts: Partial<Pick<Head, 'approval' | 'rules' | 'base' | 'members'>>): Head {
  const named = { ...head, ...parts };
  return { ...named, stateRoot: stateRootOf(named) };
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
