/**
 * From a policy that the service offers to the policy in force: verified, durable, judged for safety, applied, remembered; and
 * back again where the service can't be reached afterwards. One step at a time. Killed anywhere, the next start finds a whole
 * state and goes on; whatever fails leaves what is in force.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { type Clock, type Logger, messageOf } from '@edgeward/runtime';
import { type HostNack, type HostReport, openHostPolicy } from '../protocol/index.ts';
import { type AgentState, type PolicyRef, samePolicy } from './agent-state.ts';
import type { InForce } from './in-force.ts';
import { type KnownGood, knownGood } from './known-good.ts';
import { floorOf, type LastKnown, type LastKnownOptions } from './last-known.ts';
import { createOverdue } from './overdue.ts';
import { startProbation } from './probation.ts';
import { isFinal, nackOf, nackOfState, noObject, reportedState } from './refusal.ts';
import { type Judgement, judge, type Surroundings } from './safety/judgement.ts';
import { noPolicy, observedPolicy } from './safety/observed-policy.ts';
import { isEnforcing, type Standing } from './standing.ts';

export interface TakeOverOptions extends Pick<LastKnownOptions, 'aud' | 'keys'> {
  known: LastKnown;
  standing: Standing;
  /** What is the case on this host now. */
  surroundings: () => Promise<Omit<Surroundings, 'enforcing'>>;
  inForce: () => Promise<InForce | null>;
  /** Whether the service was reached since the agent started. */
  wasReached: () => boolean;
  reach: () => Promise<void>;
  /** Something that a report says has changed. */
  onChanged: () => void;
  clock: Clock;
  logger: Logger;
}

/** `again`: worth offering again after a while; `settled` is not. */
export type Outcome = 'settled' | 'again';

export interface TakeOver {
  /** Applies what was last in force. For the start, before anything else. Never rejects. */
  restore(): Promise<void>;
  /** Never rejects: what goes wrong is in the view. `revision` as the answer names it, for what can't be read. */
  offer(signed: Uint8Array, revision: number): Promise<Outcome>;
  /** Puts right what is not as the state says: a restore or a way back that failed, an enforcement that was refused. */
  settle(): Promise<void>;
  view(): Pick<HostReport, 'applied' | 'state' | 'mode' | 'rules' | 'nack'>;
  close(): Promise<void>;
}

export function createTakeOver(options: TakeOverOptions): TakeOver {
  const { known, standing, logger, clock } = options;
  /** As it was served, whichever form of it is in force. */
  let served: CompiledPolicy | null = null;
  /** What the kernel goes on with although its file is not believed any more: signed by a service that is no more. */
  let unread: PolicyRef | null = null;
  let refusal: HostNack | null = nackOfState(known.state());
  let endProbation = (): void => {};
  const overdue = createOverdue({
    clock,
    logger,
    whenDue: () => void inTurn(settle),
    onFirst: () => options.onChanged(),
  });
  let queue: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = queue.then(work, work);
    queue = next.catch(() => {});
    return next;
  }

  async function put(policy: CompiledPolicy, atLeast: number): Promise<boolean> {
    const changed = await standing.put(policy, atLeast);
    unread = null;
    overdue.paid();
    return changed;
  }

  async function restore(): Promise<void> {
    try {
      await restoreKnown();
    } catch (thrown) {
      overdue.owe('applying last-known-good', thrown, restore);
    }
  }

  async function restoreKnown(): Promise<void> {
    const kernel = await options.inForce();
    const { current, rolledBack, numberAtLeast } = known.state();
    const found = await knownGood(known, kernel);
    if (found === null && current === null && rolledBack !== null && kernel?.hashes.includes(rolledBack.hash)) {
      // Killed on the way back from the first policy: what is told to be gone still judges.
      await put(noPolicy(options.aud, kernel.highest), numberAtLeast);
      return;
    }
    if (found === null) {
      overdue.paid();
      unread = current === null || kernel === null ? null : { revision: kernel.highest, hash: kernel.hash };
      const words = unread === null ? 'no policy is known on this host yet' : 'what stands is not touched';
      return logger.info({ event: 'nothing_known' }, words);
    }
    served = found.served;
    await put(found.policy, numberAtLeast);
    if (found.begun) await commit(found, known.state(), { writes: true });
    else if (known.state().probation !== null) onProbation(found.ref);
    const { revision, hash } = found.ref;
    logger.info({ event: 'restored', revision, hash, form: found.form }, 'last-known-good is in force');
  }

  /** What happened is remembered, also where it can't be written. */
  async function commit(
    taken: Omit<KnownGood, 'policy'>,
    before: AgentState,
    { writes }: { writes: boolean },
  ): Promise<void> {
    const { ref, form } = taken;
    const tried = writes && (options.wasReached() || taken.begun);
    const confirmed = before.probation ?? { previous: before.current, previousForm: before.form };
    served = taken.served;
    await known.remember({
      ...before,
      current: ref,
      form,
      next: null,
      probation: tried ? confirmed : before.probation,
      rolledBack: null,
      numberAtLeast: ref.revision >= before.numberAtLeast ? 0 : before.numberAtLeast,
    });
    if (known.state().probation !== null) onProbation(ref);
  }

  function onProbation(ref: PolicyRef): void {
    endProbation();
    endProbation = startProbation({
      clock,
      reach: options.reach,
      onPassed: () => inTurn(() => passed(ref)),
      onFailed: (why) => inTurn(() => goBack(ref, why)),
    });
  }

  async function passed(ref: PolicyRef): Promise<void> {
    const state = known.state();
    if (!samePolicy(state.current, ref) || state.probation === null) return;
    await known.remember({ ...state, probation: null });
    logger.info({ event: 'confirmed', revision: ref.revision }, 'the service is reached under this policy');
  }

  async function goBack(ref: PolicyRef, why: string): Promise<void> {
    const state = known.state();
    if (!samePolicy(state.current, ref) || state.probation === null) return;
    const { previous, previousForm } = state.probation;
    const kept = previous === null ? null : await known.policy(previous);
    // Without what was there before, going back would open the host.
    if (previous !== null && kept === null) return known.remember({ ...state, probation: null });
    const code = 'EDW_ERR_HOST_ROLLED_BACK';
    const message = `revision ${ref.revision} changed rules, and then the sync service could not be reached for a minute: ${why}`;
    // The driver takes no lower number than the kernel has.
    const numberAtLeast = Math.max(state.numberAtLeast, ref.revision);
    refusal = { revision: ref.revision, code, message };
    served = kept;
    await known.remember({
      ...state,
      current: kept === null ? null : previous,
      form: previousForm,
      probation: null,
      rolledBack: { ...ref, code, message },
      numberAtLeast,
    });
    const policy = kept === null ? noPolicy(options.aud, ref.revision) : inForm(kept, previousForm);
    const putBack = (): Promise<unknown> =>
      put(policy, numberAtLeast).catch((thrown: unknown) => overdue.owe('going back', thrown, putBack));
    await putBack();
    logger.warn({ event: 'rolled_back', revision: ref.revision, to: previous?.revision ?? null, code }, message);
    options.onChanged();
  }

  async function offer(signed: Uint8Array, revision: number): Promise<Outcome> {
    try {
      return await takeOver(signed);
    } catch (thrown) {
      refusal = nackOf(thrown, revision);
      logger.error({ event: 'refused', revision, code: refusal.code, err: thrown }, messageOf(thrown));
      options.onChanged();
      return isFinal(thrown) ? 'settled' : 'again';
    }
  }

  async function takeOver(signed: Uint8Array): Promise<Outcome> {
    const { aud, keys } = options;
    const before = known.state();
    const floor = floorOf(before, (await options.inForce())?.highest ?? null);
    const { head, policy } = await openHostPolicy(signed, { aud, keys: keys(), floor });
    const ref = { revision: policy.revision, hash: policy.hash };
    const { rolledBack } = before;
    if (rolledBack !== null && rolledBack.hash === ref.hash && rolledBack.revision >= ref.revision) {
      refusal = nackOfState(before);
      return 'settled';
    }
    if (policy.objects.length === 0 && (await enforces())) throw noObject(aud);
    const isNew = !samePolicy(before.current, ref) || served === null;
    if (isNew) await known.keep(ref, signed);
    const state = { ...before, floor: { ...ref, issuedAt: head.issuedAt }, next: isNew ? ref : null };
    if (isNew) await known.switchTo(state);
    return inForms(policy, ref, state);
  }

  /** In the form that is safe here. */
  async function inForms(policy: CompiledPolicy, ref: PolicyRef, before: AgentState): Promise<Outcome> {
    const judgement = await judged(policy);
    if (judgement.form === 'none') {
      refuse(ref, judgement);
      return 'again';
    }
    const { form } = judgement;
    const effective = inForm(policy, form);
    const writes = await put(effective, before.numberAtLeast).catch(async (thrown: unknown) => {
      // What the driver refused before it wrote anything was not begun.
      if (isFinal(thrown)) await known.remember({ ...before, next: null });
      throw thrown;
    });
    await commit({ ref, form, served: policy, begun: false }, before, { writes });
    refuse(ref, judgement);
    const { revision, hash } = ref;
    logger.info({ event: 'policy_applied', revision, hash, form, writes }, form === 'served' ? 'applied' : 'observed');
    options.onChanged();
    return 'settled';
  }

  /** After a restart whose restore failed the kernel knows, and this agent does not yet. */
  async function enforces(): Promise<boolean> {
    const policy = standing.policy();
    return policy === null ? ((await options.inForce())?.enforces ?? false) : isEnforcing(policy);
  }

  async function judged(policy: CompiledPolicy): Promise<Judgement> {
    if (!isEnforcing(policy)) return { form: 'served' };
    return judge(policy, { ...(await options.surroundings()), enforcing: await enforces() });
  }

  function refuse({ revision }: PolicyRef, judgement: Judgement): void {
    if (judgement.form === 'served') {
      refusal = null;
      return;
    }
    const { code, message, mend } = judgement;
    if (refusal?.code !== code || refusal.message !== message)
      logger.warn({ event: 'not_enforced', revision, code, mend }, message);
    refusal = { revision, code, message };
  }

  async function settle(): Promise<void> {
    await known.save();
    if (await overdue.settle()) return;
    if (known.state().form === 'observe') await judgeAgain().catch(logNotJudged);
  }

  function logNotJudged(thrown: unknown): void {
    logger.error({ event: 'not_enforced', err: thrown }, messageOf(thrown));
  }

  async function judgeAgain(): Promise<void> {
    const state = known.state();
    if (served === null || state.current === null) return;
    const judgement = await judged(served);
    if (judgement.form === 'served') await inForms(served, state.current, state);
    else refuse(state.current, judgement);
  }

  return {
    restore: () => inTurn(restore),
    offer: (signed, revision) => inTurn(() => offer(signed, revision)),
    settle: () => inTurn(settle),
    view() {
      const { current } = known.state();
      // What was put back where there was none is no policy.
      const stands = current === null ? null : standing.policy();
      return {
        // Whoever numbers policies has to hear of it: below that number nothing is taken.
        applied: stands === null ? unread : { revision: stands.revision, hash: stands.hash },
        state: reportedState(known.state(), refusal),
        mode: stands?.objects[0]?.mode ?? null,
        rules: standing.rules(),
        nack: refusal,
      };
    },
    async close() {
      endProbation();
      overdue.close();
      await queue;
    },
  };
}

function inForm(policy: CompiledPolicy, form: AgentState['form']): CompiledPolicy {
  return form === 'observe' ? observedPolicy(policy) : policy;
}
