/**
 * The last hop as a sync service has it: the follower's own taking over with its folder on disk, the service's own
 * compiler, the one `decide`. Its clock is the test's. Nothing of it is replaced; only what comes from outside is.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decide } from '@edgeward/policy';
import type { Transport } from '@edgeward/policy-feed';
import { createPointCompiler } from '@edgeward/policy-feed/last-hop';
import { type Delta, type Digest, Nacked, type SignedDocument, verifyFirstRoot } from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import { createTakeover, type Held, type Takeover } from '../../policy-feed/src/follower/takeover.ts';
import { openPointFolder, type PointFolder } from '../../policy-feed/src/state/point-folder.ts';
import type { Asked } from './oracle.ts';

export interface Offered {
  blob(digest: Digest): Uint8Array | null;
  root(version: number): SignedDocument | null;
}

export interface Victim {
  nowMs: number;
  held(): Held;
  /** Null: taken over. Else the code of the refusal. Anything but a refusal is thrown. */
  head(document: SignedDocument): Promise<string | null>;
  delta(delta: Delta): Promise<string | null>;
  /** What is in force now, asked flow by flow: whether the traffic passes. */
  judge(): (asked: Asked) => boolean;
  /** Ends the process, and begins another one in the same folder. */
  restart(): Promise<void>;
  /** Log events of warning or worse, in order. */
  readonly events: Record<string, unknown>[];
  close(): Promise<void>;
}

export async function openVictim(
  point: string,
  pinned: SignedDocument,
  offered: Offered,
  nowMs: number,
): Promise<Victim> {
  const dir = await mkdtemp(join(tmpdir(), 'edgeward-redteam-'));
  const events: Record<string, unknown>[] = [];
  const write = (line: string): void => void events.push(JSON.parse(line) as Record<string, unknown>);
  const logger = createLogger({ level: 'warn', destination: { write } });
  const transport: Transport = {
    name: 'redteam:',
    next: () => Promise.reject(new Error('news are handed over here')),
    blob: async (digest) => offered.blob(digest),
    root: async (version) => offered.root(version),
    report: null,
    close: async () => {},
  };
  const clock = { now: () => victim.nowMs, after: () => () => {} };
  const never = new AbortController().signal;
  let compiler = createPointCompiler(point);
  let folder: PointFolder;
  let takeover: Takeover;

  async function begin(): Promise<void> {
    folder = await openPointFolder(join(dir, point));
    compiler = createPointCompiler(point);
    const onState = (state: Parameters<typeof compiler.compile>[0]): void => {
      compiler.compile(state, victim.nowMs);
    };
    const pinnedRoot = verifyFirstRoot(pinned);
    takeover = createTakeover({ point, transport, folder, pinnedRoot, clock, logger, onState });
    await takeover.restore();
  }

  async function tried(work: Promise<void>): Promise<string | null> {
    try {
      await work;
      return null;
    } catch (thrown) {
      if (thrown instanceof Nacked) return thrown.code;
      throw thrown;
    }
  }

  const victim: Victim = {
    nowMs,
    events,
    held: () => takeover.held(),
    head: (document) => tried(takeover.head(document, never)),
    delta: (delta) => tried(takeover.delta({ delta }, never)),
    judge() {
      const { state } = takeover.held();
      // Before there is a policy a point denies; what it last knew as `observe` or `off` is its own file's.
      if (state === null) return () => false;
      const { view } = compiler.compile(state, victim.nowMs);
      return (asked) => {
        const mode = view.object(asked.to)?.mode;
        return mode === 'observe' || mode === 'off' || decide(view, asked).verdict === 'allow';
      };
    },
    async restart() {
      await folder.close();
      await begin();
    },
    async close() {
      await folder.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await begin();
  return victim;
}
