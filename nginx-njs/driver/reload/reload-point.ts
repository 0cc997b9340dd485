import { type Actual, type Applied, type EnforcementPoint, revisionOlder } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError, type Logger, messageOf, type Pause, pauseFor, systemClock } from '@edgeward/runtime';
import type { SnapshotStatus } from '../hybrid/index.ts';
import { type NativeOptions, type NativeSnapshot, nativeSnapshot, nativeSnapshotAside } from '../native/index.ts';
import type { NginxProcess } from '../process/index.ts';
import { createSnapshotFolder, diskOf, type SnapshotDisk, type SnapshotFolder, takenAtMs } from '../snapshot/index.ts';
import { askInForce, type InForce, isNone, type Parts } from './in-force.ts';
import { refuseUnsayable } from './refusal.ts';
import type { ReloadPace } from './reload-pace.ts';
import { noteRevision, revisionHeld } from './revision-note.ts';

/**
 * One NGINX without njs: the policy is a snapshot on disk and a reload brings it into force. The configuration is tested
 * first; if NGINX refuses it, or the reload does not take, the snapshot before is what the next start reads. What is in
 * force is what NGINX says of itself. Reloads keep a pace; what is desired meanwhile goes with the next one. Never weaker
 * than the policy: one that NGINX can't judge by itself is refused whole.
 */
export interface ReloadPointOptions {
  name: string;
  /** Where reload.conf listens: `http://127.0.0.1:9180`. */
  push: string;
  /** Where reload-stream.conf listens, `tcp://127.0.0.1:9181`; null: this NGINX carries no stream servers. */
  streamPush: string | null;
  process: NginxProcess;
  /** The folder that NGINX includes `current` of. */
  folder: string;
  pace: ReloadPace;
  /** Snapshots kept beside the one in force. */
  keep: number;
  logger: Logger;
  /** For one question: 5 s. */
  timeoutMs?: number;
  disk?: SnapshotDisk;
  now?: () => number;
}

export interface ReloadPoint extends EnforcementPoint {
  /** Lays out a snapshot that denies everything, `no-policy`, where there is none: NGINX can't read what is missing. */
  prepare(): Promise<void>;
  /** What is desired by now: an apply that waits for its turn takes it in place of its own. */
  expect(policy: CompiledPolicy): void;
  /** Workers that still answer by an older snapshot, on connections that they hold, when this was last looked at. */
  oldWorkers(): number;
  /** Of what NGINX said when it was asked last. */
  snapshot(): SnapshotStatus;
}

interface State {
  expected: CompiledPolicy | null;
  oldWorkers: number;
  generation: string | null;
  /** In force, and as this version of the driver writes it. */
  known: string | null;
  reloads: number;
  failures: number;
  pause: Pause | null;
  /** When an apply that waits has its turn. */
  nextAt: number | null;
  closed: boolean;
}

export function createReloadPoint(options: ReloadPointOptions): ReloadPoint {
  const disk = options.disk ?? diskOf;
  const folder = createSnapshotFolder(options.folder, disk);
  const now = options.now ?? Date.now;
  const { name, push, streamPush } = options;
  const state: State = {
    expected: null,
    oldWorkers: 0,
    generation: null,
    known: null,
    reloads: 0,
    failures: 0,
    pause: null,
    nextAt: null,
    closed: false,
  };
  let applying: Promise<unknown> = Promise.resolve();

  async function ask(): Promise<Parts> {
    const parts = await askInForce({ point: name, push, streamPush, timeoutMs: options.timeoutMs ?? 5000 });
    state.generation = parts.http.generation;
    return parts;
  }

  async function apply(desired: CompiledPolicy): Promise<Applied> {
    const { http, stream } = await ask();
    const held = isNone(http) ? 0 : await revisionHeld(folder.path, http);
    if (held > desired.revision) throw revisionOlder(name, desired.revision, held);
    refuseUnsayable(desired);
    const isThere = (stream === null || stream.generation === http.generation) && (await holds(http, desired));
    if (!isThere) return bringIntoForce(desired, http.generation);
    if (held === desired.revision) return { revision: desired.revision, writes: 0, bytes: 0 };
    const note = { generation: http.generation, revision: desired.revision };
    return { revision: desired.revision, writes: 1, bytes: await noteRevision(disk, folder.path, note) };
  }

  /** In force, on disk as it was written, what the next start reads, and as this version of the driver would write it. */
  async function holds({ generation, revision, hash }: InForce, desired: CompiledPolicy): Promise<boolean> {
    if (hash !== desired.hash || (await folder.current()) !== generation) return false;
    const changed = await folder.differing(generation);
    if (changed?.length !== 0) return false;
    // What this driver wrote is as it would write it; what one before it wrote is looked at once.
    if (state.known === generation) return true;
    const isSame = await folder.holds(await snapshotOf({ ...desired, revision }, generation, folder));
    if (isSame) state.known = generation;
    return isSame;
  }

  async function bringIntoForce(asked: CompiledPolicy, inForce: string): Promise<Applied> {
    await turn();
    const desired = newestOf(asked, state.expected);
    const waiting = await laidOutBefore(desired, inForce);
    const snapshot = waiting ?? (await snapshotOf(desired, await folder.nextGeneration(now()), folder));
    const written = waiting === null ? await lay(snapshot) : { writes: 0, bytes: 0 };
    try {
      await options.process.test();
      await reload();
    } catch (cause) {
      await takeBack(snapshot.generation, inForce);
      throw cause;
    }
    await confirm(snapshot);
    state.known = snapshot.generation;
    await tidy();
    return { revision: desired.revision, writes: written.writes + 1, bytes: written.bytes };
  }

  /** What an apply of ours laid out, and did not bring into force; null: nothing, or something else. */
  async function laidOutBefore(desired: CompiledPolicy, inForce: string): Promise<NativeSnapshot | null> {
    const current = await folder.current();
    if (current === null || current === inForce || (await folder.differing(current))?.length !== 0) return null;
    const snapshot = await snapshotOf(desired, current, folder);
    return (await folder.holds(snapshot)) ? snapshot : null;
  }

  async function lay(snapshot: NativeSnapshot): Promise<{ writes: number; bytes: number }> {
    const { writes, bytes } = await folder.write(snapshot);
    await folder.switchTo(snapshot.generation);
    return { writes: writes + 1, bytes };
  }

  async function reload(): Promise<void> {
    options.pace.took(now());
    try {
      const { old } = await options.process.reload();
      state.oldWorkers = old.length;
      state.reloads += 1;
    } catch (cause) {
      state.failures += 1;
      throw cause;
    }
  }

  /** NGINX reloaded; whether it reads this folder is another question. */
  async function confirm({ generation }: NativeSnapshot): Promise<void> {
    const { http, stream } = await ask();
    const others = [http, stream].filter((part) => part !== null && part.generation !== generation);
    if (others.length === 0) return;
    throw new EdgewardError(
      'EDW_ERR_NGINX_SNAPSHOT',
      `reloading ${name}: NGINX reads ${others[0]?.generation}, and ${folder.path} leads to ${generation}`,
      {
        mend: `Let reload.conf (and reload-stream.conf) include ${folder.path}/current, or correct \`snapshot.folder\` of this point; then reload NGINX.`,
      },
    );
  }

  /** What NGINX has read is what its next start shall read; where that is damaged nothing is better than what is there. */
  async function takeBack(generation: string, inForce: string): Promise<void> {
    try {
      if (generation === inForce || (await folder.differing(inForce))?.length !== 0) return;
      await folder.switchTo(inForce);
      await folder.remove(generation);
    } catch (cause) {
      const fields = { event: 'snapshot_not_taken_back', point: name, generation, cause: messageOf(cause) };
      options.logger.warn(fields, 'the next start of NGINX would read a snapshot that it refused');
    }
  }

  async function tidy(): Promise<void> {
    await folder.collect(options.keep).catch((cause: unknown) => {
      options.logger.warn(
        { event: 'collect_failed', point: name, cause: messageOf(cause) },
        'old snapshots stay for now',
      );
    });
  }

  /** Throws when the point is closed meanwhile: nothing was written yet. */
  async function turn(): Promise<void> {
    for (let ms = options.pace.waitMs(now()); ms > 0 && !state.closed; ms = options.pace.waitMs(now())) {
      state.nextAt = now() + ms;
      state.pause = pauseFor(systemClock, ms);
      await state.pause.over;
    }
    state.nextAt = null;
    if (!state.closed) return;
    throw new EdgewardError('EDW_ERR_POINT_UNREACHABLE', `waiting until ${name} may be reloaded: closed meanwhile`, {
      mend: 'Nothing is to be done: the service ends, and goes on when it starts again.',
    });
  }

  return {
    name,
    async prepare() {
      if ((await folder.current()) !== null) return;
      await lay(nativeSnapshot(null, formOf(await folder.nextGeneration(now()), folder)));
    },
    expect(policy) {
      state.expected = policy;
    },
    oldWorkers: () => state.oldWorkers,
    snapshot: () => {
      const { generation, nextAt, reloads, failures } = state;
      return {
        generation,
        takenAt: generation === null ? null : takenAtMs(generation),
        slow: null,
        nextAt,
        reloads,
        failures,
        lastError: null,
      };
    },
    inspect: async () => {
      const parts = await ask();
      await lookAtWorkers(options.process, state);
      return isNone(parts.http) ? { state: 'empty' } : inspected(parts, folder);
    },
    apply(desired) {
      const applied = apply(desired);
      applying = applied.catch(() => {});
      return applied;
    },
    probe: async () => {
      const { http, stream } = await ask();
      const { master } = await options.process.workers();
      return [master, http, stream].map((part) => JSON.stringify(part)).join(' ');
    },
    async close() {
      state.closed = true;
      state.pause?.end();
      await applying;
    },
  };
}

function snapshotOf(policy: CompiledPolicy, generation: string, folder: SnapshotFolder): Promise<NativeSnapshot> {
  return nativeSnapshotAside(policy, formOf(generation, folder));
}

function formOf(generation: string, { path }: SnapshotFolder): NativeOptions {
  return { generation, folder: path, answers: 'every' };
}

/** Only what a reload can bring: an expected policy that it can't is refused when its own apply comes. */
function newestOf(asked: CompiledPolicy, expected: CompiledPolicy | null): CompiledPolicy {
  if (expected === null || expected.revision <= asked.revision) return asked;
  try {
    refuseUnsayable(expected);
    return expected;
  } catch {
    return asked;
  }
}

async function inspected({ http, stream }: Parts, folder: SnapshotFolder): Promise<Actual> {
  const { generation, hash } = http;
  const drift: string[] = [];
  if (stream !== null && stream.generation !== generation) drift.push(`its stream part reads ${stream.generation}`);
  const changed = await folder.differing(generation);
  if (changed === null) drift.push(`the snapshot ${generation} that it reads is not in ${folder.path}`);
  for (const name of changed ?? []) drift.push(`${generation}/${name} is not as it was written`);
  const current = await folder.current();
  if (current === null) drift.push(`${folder.path}/current is missing`);
  const isWaiting = current !== null && current !== generation;
  const unfinished = isWaiting ? [`the snapshot ${current} waits for a reload`] : [];
  return { state: 'loaded', revision: await revisionHeld(folder.path, http), hash, drift, unfinished };
}

/** What can't be looked at is told by the next apply, which needs it. */
async function lookAtWorkers(process: NginxProcess, state: State): Promise<void> {
  const workers = await process.workers().catch(() => null);
  if (workers !== null) state.oldWorkers = workers.leaving.length;
}
