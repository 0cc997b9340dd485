import type { NginxPoint } from '@edgeward/nginx-njs';
import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { type Clock, type Logger, messageOf, type Pause, pauseFor } from '@edgeward/runtime';
import { type Known, type LastProof, type ObjectProof, type ProofState, standing } from './object-proof.ts';
import { type ProofPlace, proofPlace } from './proof-address.ts';
import { type Attempt, type Attempted, attempt, unattempted } from './proof-attempt.ts';
import type { FailureKind } from './proof-finding.ts';
import type { ProofConfig } from './proof-schema.ts';

/**
 * Proves the objects of one NGINX, one after the other, round after round. An object that did not stand the proof is asked
 * again before that is believed, because a policy may have been on its way, or NGINX just begun anew. It changes nothing at
 * the point and judges by what the point says that it judges by.
 */
export interface Prover {
  readonly point: string;
  /** This policy is on its way to the point. */
  remember(policy: CompiledPolicy): void;
  /** Of every object that is not off. */
  proofs(): ObjectProof[];
  /** What is worth keeping over a restart, by object. */
  lasting(): Record<string, LastProof>;
  /** Asks every object, and again those that did not stand it. */
  round(): Promise<void>;
  /** Rounds from now on. */
  start(): void;
  /** Cuts off what is under way. */
  close(): Promise<void>;
}

export interface ProverOptions {
  point: Pick<NginxPoint, 'name' | 'prove'>;
  push: string;
  config: ProofConfig;
  /** Hash of the policy that the point holds; null: none that is known. */
  applied(): string | null;
  lasting: Record<string, LastProof>;
  clock: Clock;
  logger: Logger;
  failed(object: string, kind: FailureKind): void;
  /** After every round. */
  told(): void;
}

const TRIES = 3;
const BETWEEN_TRIES_MS = 1000;
/** While nothing is in force there is nothing to prove. */
const IDLE_MS = 1000;
/** The newest, and what a point may still hold while it is on its way. */
const KEPT_POLICIES = 3;

type Entry = Known & Attempted;

export function createProver(options: ProverOptions): Prover {
  const { point, config, clock, logger } = options;
  const entries = new Map<string, Entry>();
  let policies: CompiledPolicy[] = [];
  let pause: Pause | null = null;
  const ending = new AbortController();
  let running: Promise<void> = Promise.resolve();

  const policyOf = (hash: string | null): CompiledPolicy | null => policies.find((it) => it.hash === hash) ?? null;
  const placeOf = (object: CompiledObject): ProofPlace => proofPlace(config, options.push, object);

  function entryOf(name: string): Entry {
    const entry = entries.get(name) ?? { last: options.lasting[name] ?? null, failure: null, ...unattempted() };
    entries.set(name, entry);
    return entry;
  }

  function standingOf(object: CompiledObject): ObjectProof {
    const at = { nowMs: clock.now(), everyMs: config.everyMs };
    return standing(object.name, placeOf(object), entryOf(object.name), at);
  }

  async function round(): Promise<void> {
    let asked = objectsIn(policyOf(options.applied())).map(({ name }) => name);
    for (let n = 1; n <= TRIES && asked.length > 0 && !ending.signal.aborted; n += 1) {
      if (n > 1) await wait(BETWEEN_TRIES_MS);
      asked = await askAll(asked, n);
    }
  }

  /** Those that did not stand it, and may yet. */
  async function askAll(names: readonly string[], attemptNumber: number): Promise<string[]> {
    const again: string[] = [];
    const policy = policyOf(options.applied());
    const objects = new Map(objectsIn(policy).map((object) => [object.name, object]));
    const away = awayListeners();
    for (const name of names) {
      const object = objects.get(name);
      if (ending.signal.aborted || policy === null || object === undefined) continue;
      const place = placeOf(object);
      if (place.state === 'none') continue;
      const { at } = place;
      const entry = entryOf(name);
      const found =
        away.of(at.url) ?? (await attempt({ point, policy, object, at, entry, policyOf, signal: ending.signal }));
      away.note(at.url, found);
      if (found.state === 'failed' && attemptNumber < triesFor(found.kind)) again.push(name);
      else if (!ending.signal.aborted) settle(object, at.url, found);
    }
    return again;
  }

  function settle(object: CompiledObject, url: string, found: Attempt): void {
    const entry = entryOf(object.name);
    const before = standingOf(object).state;
    if (found.state === 'proven')
      entry.last = { url, provenAtMs: clock.now(), revision: found.revision, flows: found.flows };
    entry.failure = found.state === 'failed' ? found : null;
    tell(object, before);
  }

  function tell(object: CompiledObject, before: ProofState): void {
    const now = standingOf(object);
    if (now.state === 'failed' || now.state === 'stale') options.failed(object.name, now.kind ?? 'no-answer');
    if (now.state === before) return;
    const fields = { point: point.name, object: object.name, kind: now.kind };
    if (now.state === 'failed') logger.error({ event: 'proof_failed', ...fields }, now.why ?? '');
    else if (now.state === 'stale') logger.warn({ event: 'proof_stale', ...fields }, now.why ?? '');
    else if (now.state === 'proven') logger.info({ event: 'proof_succeeded', ...fields }, 'proven');
    else logger.info({ event: 'proof_impossible', ...fields }, now.why ?? '');
  }

  async function wait(ms: number): Promise<void> {
    pause = pauseFor(clock, ms);
    if (ending.signal.aborted) pause.end();
    await pause.over;
  }

  async function loop(): Promise<void> {
    while (!ending.signal.aborted) {
      const isDue = config.mode === 'on' && policyOf(options.applied()) !== null;
      if (isDue) {
        await round();
        options.told();
      }
      if (!ending.signal.aborted) await wait(isDue ? config.everyMs : IDLE_MS);
    }
  }

  return {
    point: point.name,
    remember(policy) {
      policies = [policy, ...policies.filter(({ hash }) => hash !== policy.hash)].slice(0, KEPT_POLICIES);
    },
    proofs: () => objectsIn(policies[0] ?? null).map(standingOf),
    lasting() {
      const [newest] = policies;
      if (newest === undefined) return options.lasting;
      // What is in no policy any more is forgotten.
      const known = newest.objects.flatMap(({ name }) => {
        const { last } = entryOf(name);
        return last === null ? [] : [[name, last] as const];
      });
      return Object.fromEntries(known);
    },
    round,
    start() {
      running = loop().catch((cause: unknown) =>
        // Its objects become stale, which is told.
        logger.error({ event: 'proofs_ended', point: point.name, cause: messageOf(cause) }, 'a bug: report it'),
      );
    },
    async close() {
      ending.abort();
      pause?.end();
      await running;
    },
  };
}

/** Nobody answers seldom by chance, and to wait for it again and again takes the time of all others. */
function triesFor(kind: FailureKind): number {
  return kind === 'no-answer' ? 2 : TRIES;
}

/** Objects that share a listener, or a point, need not each wait until it gives no answer. */
function awayListeners(): { of(url: string): Attempt | null; note(url: string, found: Attempt): void } {
  const listeners = new Map<string, Attempt>();
  let point: Attempt | null = null;
  return {
    of: (url) => point ?? listeners.get(url) ?? null,
    note(url, found) {
      if (found.state !== 'failed') return;
      if (found.holdsFor === 'point') point = found;
      if (found.holdsFor === 'listener') listeners.set(url, found);
    },
  };
}

function objectsIn(policy: CompiledPolicy | null): CompiledObject[] {
  return policy === null ? [] : policy.objects.filter(({ mode }) => mode !== 'off');
}
