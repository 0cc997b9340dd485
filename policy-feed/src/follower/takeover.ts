/**
 * Taking over: what came from a store is verified, handed over to whoever enforces it, and only then kept on disk, state
 * first and floor last. Whatever goes wrong before that leaves what is held as it is. Time and bytes are the transport's
 * business; when to ask is the follower's.
 */
import {
  type Accepted,
  acceptDelta,
  acceptHead,
  type Cursor,
  cursorOf,
  type Delta,
  type Digest,
  type Fetch,
  type Floor,
  type GoodSignatures,
  Nacked,
  type PointState,
  type SignedDocument,
  type TrustRoot,
} from '@edgeward/policy-format';
import { type Clock, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { isSameState } from '../documents.ts';
import type { PointFolder } from '../state/point-folder.ts';
import { type Witness, witnessed } from '../state/witness.ts';
import type { Transport } from '../transport.ts';
import { restore } from './restoring.ts';

export type OnState = (state: PointState, how: { restored: boolean }) => Promise<void> | void;

export interface Takeover {
  held(): Held;
  /** What is on disk, newest first, handed over. Never throws for what the folder holds. */
  restore(): Promise<void>;
  /** Throws `Nacked` for what is not believed or could not be handed over, and what a transport throws. */
  head(head: SignedDocument, signal: AbortSignal): Promise<void>;
  delta(news: Brought, signal: AbortSignal): Promise<void>;
  /** What did not work at its time: a state that nobody took, or that no disk took. Throws like the first time. */
  makeUp(): Promise<void>;
}

interface Brought {
  delta: Delta;
  /** What came along with it. */
  blobs?: ReadonlyMap<Digest, Uint8Array>;
}

export interface Held {
  state: PointState | null;
  floor: Floor | null;
  root: TrustRoot;
  witness: Witness | null;
  /** Of what is handed over and on disk, floor and all; null before the first. */
  kept: Cursor | null;
  bytesReceived: number;
}

export interface TakeoverOptions {
  point: string;
  transport: Pick<Transport, 'blob' | 'root'>;
  folder: PointFolder;
  pinnedRoot: TrustRoot;
  clock: Clock;
  logger: Logger;
  onState: OnState;
  /** Shared with the followers beside this one. */
  signatures?: GoodSignatures;
}

/** What one take brought, until it is kept: writing a document out again costs more than holding it so long. */
type AtHand = Map<Digest, Uint8Array>;

/** Of one blob. A larger one is made again: two of the largest at once would be felt. */
const MOST_AT_HAND = 1024 * 1024;

export function createTakeover(options: TakeoverOptions): Takeover {
  const { point, transport, folder, clock, logger } = options;
  const held: Held = {
    state: null,
    floor: null,
    root: options.pinnedRoot,
    witness: null,
    kept: null,
    bytesReceived: 0,
  };
  let handedOver: Cursor | null = null;
  let toldOfGlass: Digest | null = null;

  async function handOver(state: PointState, how: { restored: boolean }): Promise<void> {
    // A head that was signed anew changes nothing that anybody enforces.
    if (isSameState(handedOver, cursorOf(state))) return;
    try {
      await options.onState(state, how);
    } catch (thrown) {
      throw new Nacked('compile', coded(thrown));
    }
    handedOver = cursorOf(state);
    tellOfGlass(state);
  }

  /** One person alone opened something: told here, where whoever holds a stolen key of a store can't keep it quiet. */
  function tellOfGlass(state: PointState): void {
    const glass = openGlass(state, clock.now());
    if (glass === null || glass.digest === toldOfGlass) return;
    toldOfGlass = glass.digest;
    const { version, endsAt, proposedBy, reason } = glass;
    const fields = { event: 'break_glass_in_force', point, version, endsAt, proposedBy, reason };
    logger.warn(fields, 'one approver alone opened this; it ends by itself');
  }

  async function keep(state: PointState, floor: Floor, atHand?: AtHand): Promise<void> {
    await folder.save(state, { floor, witness: held.witness }, atHand);
    held.kept = cursorOf(state);
  }

  function witness(state: PointState): void {
    const before = held.witness;
    held.witness = witnessed(before, state.head.epoch, state.head.log, clock.now());
    const { contradicted } = held.witness;
    if (contradicted === null || before?.contradicted != null) return;
    const fields = { event: 'record_contradicted', point, ...contradicted };
    logger.error(fields, 'the record of the store is not the one that was seen here before: somebody rewrote it');
  }

  async function take({ state, floor, unchanged }: Accepted, atHand: AtHand): Promise<void> {
    await handOver(state, { restored: false });
    held.state = state;
    held.floor = floor;
    if (unchanged && isSameState(held.kept, cursorOf(state))) return;
    witness(state);
    await keep(state, floor, atHand);
    logger.debug({ event: 'policy_taken_over', point, ...logged(state) }, 'taken over');
  }

  function fetching(signal: AbortSignal, atHand: AtHand, along?: Brought['blobs']): Fetch {
    return {
      async blob(digest, maxBytes) {
        const own = along?.get(digest) ?? (await folder.blobs.read(digest, maxBytes));
        const bytes = own ?? (await transport.blob(digest, maxBytes, signal, point));
        if (own === null) held.bytesReceived += bytes?.length ?? 0;
        // Whoever asked compares them with the name, and takes nothing over where they differ.
        if (bytes !== null && bytes.length <= MOST_AT_HAND) atHand.set(digest, bytes);
        return bytes;
      },
      root: (version) => transport.root(version, signal),
      async keepRoot(document, root) {
        await folder.saveRoot(root.version, document);
        held.root = root;
        logger.info(
          { event: 'trust_root_taken_over', point, version: root.version, epoch: root.epoch },
          'new trust root',
        );
      },
    };
  }

  const task = (signal: AbortSignal, atHand: AtHand, along?: Brought['blobs']) => ({
    point,
    floor: held.floor,
    root: held.root,
    fetch: fetching(signal, atHand, along),
    nowMs: clock.now(),
    ...(options.signatures === undefined ? {} : { signatures: options.signatures }),
  });

  return {
    held: () => held,
    async restore() {
      const found = await restore({ point, folder, pinnedRoot: options.pinnedRoot, logger, nowMs: clock.now() });
      Object.assign(held, { state: found.state, floor: found.floor, root: found.root, witness: found.witness });
      if (found.state === null) return;
      folder.loaded(found.state);
      if (found.floorOnDisk) held.kept = cursorOf(found.state);
      await handOver(found.state, { restored: true });
    },
    async head(head, signal) {
      const atHand: AtHand = new Map();
      await take(await acceptHead({ ...task(signal, atHand), known: held.state, head }), atHand);
    },
    async delta({ delta, blobs }, signal) {
      const known = held.state;
      // Asked for from a state that is no longer held: the answer came too late, and nothing is wrong with it.
      if (known === null || !isSameState(delta.from, cursorOf(known))) return;
      const atHand: AtHand = new Map();
      await take(await acceptDelta({ ...task(signal, atHand, blobs), known, delta }), atHand);
    },
    async makeUp() {
      const { state, floor } = held;
      if (state === null || floor === null) return;
      await handOver(state, { restored: true });
      if (!isSameState(held.kept, cursorOf(state))) await keep(state, floor);
    },
  };
}

/** A break-glass version that is in force at this instant. */
export interface OpenGlass {
  version: number;
  digest: Digest;
  endsAt: string;
  proposedBy: string;
  reason: string;
}

export function openGlass({ approval: held }: PointState, nowMs: number): OpenGlass | null {
  const { version, breakGlass, proposedBy, reason } = held.approval;
  if (breakGlass === null || nowMs >= Date.parse(breakGlass.endsAt)) return null;
  return { version, digest: held.digest, endsAt: breakGlass.endsAt, proposedBy, reason };
}

function logged(state: PointState): Record<string, unknown> {
  const { epoch, revision } = state.head;
  return { epoch, revision, version: state.approval.approval.version };
}

/** What a caller throws without a code is a bug of the caller's. */
function coded(thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  return new EdgewardError('EDW_ERR_INTERNAL', `handing over a policy: ${messageOf(thrown)}`, {
    mend: 'Please report it with the log around event policy_refused. What is in force stays.',
    cause: thrown,
  });
}
