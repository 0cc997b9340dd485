/**
 * The policy that this agent answers for: put in force, remembered, put there again at a start, tried for whether the service
 * can be reached under it, and gone back from. Who takes over a policy names it in the state before, as `next`: killed or
 * failed half-way, what was begun is finished from there. Nothing here decides what is taken over, or waits its turn.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import type { Clock, Logger } from '@edgeward/runtime';
import type { HostNack } from '../protocol/index.ts';
import { type AgentState, type PolicyRef, samePolicy, type Trial, trialOf, wentBack } from './agent-state.ts';
import type { InForce } from './in-force.ts';
import { type KnownGood, knownGood } from './known-good.ts';
import type { LastKnown } from './last-known.ts';
import { createOverdue } from './overdue.ts';
import { createProbation } from './probation.ts';
import { nackOf, nackOfState, rolledBack } from './refusal.ts';
import { inForm, NO_POLICY, noPolicy } from './safety/observed-policy.ts';
import { isEnforcing, type Standing } from './standing.ts';

export interface HoldingOptions {
  aud: string;
  known: LastKnown;
  standing: Standing;
  inForce: () => Promise<InForce | null>;
  /** Reaches the service over a connection that was not there before; throws where it can't. */
  reach: () => Promise<void>;
  /** Something that a report says has changed. */
  onChanged: () => void;
  /** One thing at a time, whoever begins it. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Asked to call `settle`, in turn. */
  whenDue: () => Promise<void>;
  clock: Clock;
  logger: Logger;
}

export interface Taken {
  ref: PolicyRef;
  form: AgentState['form'];
  served: CompiledPolicy;
}

export interface Holding {
  /** Puts what was last in force there. Never rejects: what fails is tried again. */
  restore(): Promise<void>;
  /** Throws as the driver does. */
  put(policy: CompiledPolicy, numberAtLeast: number): Promise<boolean>;
  /** It may be there in part. What the state says of it, and the kernel, is finished or undone. */
  finishLater(ref: PolicyRef, thrown: unknown): void;
  /** What was put is in force from now on, also where that can't be written. */
  commit(taken: Taken, before: AgentState, isTried: boolean): Promise<void>;
  /** True where something was overdue; it was tried. */
  settle(): Promise<boolean>;
  /** As it was served, whichever form is in force. */
  served(): CompiledPolicy | null;
  /** What the kernel goes on with although nothing was put there yet. */
  unread(): PolicyRef | null;
  /** What a report says was not done. */
  refusal(): HostNack | null;
  refuse(nack: HostNack | null): void;
  close(): void;
}

/** An agent that ends again and again within the minute never comes to its end: the start that goes back instead. */
const LAST_START = 3;

export function createHolding(options: HoldingOptions): Holding {
  const { known, standing, logger, clock, inTurn } = options;
  let served: CompiledPolicy | null = null;
  let unread: PolicyRef | null = null;
  let refusal: HostNack | null = nackOfState(known.state());
  /** Why last-known-good is not there, as long as nothing is. */
  let notRestored: HostNack | null = null;
  /** This start is counted, or the trial began after it. */
  let isCounted = false;
  const probation = createProbation({
    clock,
    reach: options.reach,
    onPassed: (ref) => inTurn(() => passed(ref)),
    onFailed: (why) => inTurn(() => goBack(`for a minute: ${why}`)),
  });
  const overdue = createOverdue({
    clock,
    logger,
    whenDue: () => void options.whenDue(),
    onFirst: () => options.onChanged(),
  });

  async function put(policy: CompiledPolicy, numberAtLeast: number): Promise<boolean> {
    const changed = await standing.put(policy, numberAtLeast);
    unread = null;
    notRestored = null;
    overdue.paid();
    return changed;
  }

  async function restore(): Promise<void> {
    try {
      await restoreKnown();
    } catch (thrown) {
      const { current } = known.state();
      if (current !== null && standing.policy() === null) notRestored = nackOf(thrown, current.revision);
      overdue.owe('applying last-known-good', thrown, restore);
    }
  }

  async function restoreKnown(): Promise<void> {
    const kernel = await options.inForce();
    const state = known.state();
    const found = await knownGood(known, kernel);
    if (standing.policy() === null) unread = unreadIn(kernel);
    if (found === null && state.current === null && isIn(kernel, state.rolledBack)) {
      // Killed on the way back from the first policy: what is told to be gone still judges.
      return void (await put(noPolicy(options.aud, kernel.highest), state.numberAtLeast));
    }
    if (found === null) {
      overdue.paid();
      const words = unread === null ? 'no policy is known on this host yet' : 'what stands is not touched';
      return logger.info({ event: 'nothing_known' }, words);
    }
    served = found.served;
    await put(found.policy, found.numberAtLeast);
    const { revision, hash } = found.ref;
    logger.info({ event: 'restored', revision, hash, form: found.form }, 'last-known-good is in force');
    await (found.begun ? finish(found, state) : goOn(found, state));
    options.onChanged();
  }

  /** What was begun is whole now, and whatever was said against it before is over. */
  async function finish(found: KnownGood, state: AgentState): Promise<void> {
    const { numberAtLeast } = found;
    await commit(found, { ...state, numberAtLeast }, state.next?.tried ?? false);
    if (refusal !== null && refusal.revision <= found.ref.revision) refusal = null;
  }

  async function goOn({ ref, numberAtLeast }: KnownGood, state: AgentState): Promise<void> {
    // Where the one before it stands there is nothing to go back from.
    const trial = samePolicy(ref, state.current) ? counted(state.probation) : null;
    if (trial !== state.probation || numberAtLeast !== state.numberAtLeast)
      await known.remember({ ...state, numberAtLeast, probation: trial ?? state.probation });
    if (trial === null) return;
    if (trial.starts < LAST_START) probation.begin(ref);
    else await goBack(`over ${trial.starts} starts of the agent`);
  }

  function counted(trial: Trial | null): Trial | null {
    if (trial === null || isCounted) return trial;
    isCounted = true;
    return { ...trial, starts: trial.starts + 1 };
  }

  async function commit({ ref, form, served: taken }: Taken, before: AgentState, isTried: boolean): Promise<void> {
    served = taken;
    // What drops nothing cuts nobody off, and whoever asked for it may be locked out without.
    const trial = isEnforcing(inForm(taken, form)) ? trialOf(before, isTried) : null;
    isCounted = true;
    await known.remember({
      ...before,
      current: ref,
      form,
      next: null,
      probation: trial,
      rolledBack: null,
      numberAtLeast: ref.revision >= before.numberAtLeast ? 0 : before.numberAtLeast,
    });
    if (trial === null) probation.end();
    else probation.begin(ref);
  }

  async function passed(ref: PolicyRef): Promise<void> {
    const state = known.state();
    if (!samePolicy(state.current, ref) || state.probation === null) return;
    await known.remember({ ...state, probation: null });
    logger.info({ event: 'confirmed', revision: ref.revision }, 'the service is reached under this policy');
  }

  /** From what stands, whichever it is by now. */
  async function goBack(why: string): Promise<void> {
    probation.end();
    const state = known.state();
    const { current: ref } = state;
    if (ref === null || state.probation === null) return;
    const { previous, previousForm } = state.probation;
    const kept = previous === null ? null : await known.policy(previous);
    // Without what was there before, going back would open the host.
    if (previous !== null && kept === null) return known.remember({ ...state, probation: null });
    const kernel = await options.inForce().catch(() => null);
    // The driver takes no lower number than the kernel has, and what came after it may have got in half.
    const numberAtLeast = Math.max(state.numberAtLeast, ref.revision, kernel?.highest ?? 0);
    const nack = rolledBack(ref.revision, why);
    refusal = nack;
    served = kept;
    await known.remember(wentBack(state, { ...nack, ...ref }, numberAtLeast));
    const policy = kept === null ? noPolicy(options.aud, ref.revision) : inForm(kept, previousForm);
    const putBack = (): Promise<unknown> =>
      put(policy, numberAtLeast).catch((thrown: unknown) => overdue.owe('going back', thrown, putBack));
    await putBack();
    const { revision, code, message } = nack;
    logger.warn({ event: 'rolled_back', revision, to: previous?.revision ?? null, code }, message);
    options.onChanged();
  }

  return {
    restore,
    put,
    finishLater: ({ revision }, thrown) => overdue.owe(`finishing revision ${revision}`, thrown, restore),
    commit,
    settle: overdue.settle,
    served: () => served,
    unread: () => unread,
    refusal: () => refusal ?? notRestored,
    refuse(nack) {
      refusal = nack;
    },
    close() {
      probation.end();
      overdue.close();
    },
  };
}

function isIn(kernel: InForce | null, ref: PolicyRef | null): kernel is InForce {
  return kernel !== null && ref !== null && kernel.hashes.includes(ref.hash);
}

function unreadIn(kernel: InForce | null): PolicyRef | null {
  return kernel === null || kernel.hash === NO_POLICY ? null : { revision: kernel.highest, hash: kernel.hash };
}
