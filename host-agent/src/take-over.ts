/**
 * From a policy that the service offers to the policy in force: verified, judged for safety, durable, applied, remembered. One
 * step at a time. Killed anywhere, the next start finds a whole state and goes on; what fails before it is applied leaves what
 * is in force, and what fails then is finished or undone. What is refused is written nowhere.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { createWorkQueue, messageOf } from '@edgeward/runtime';
import { type HostPolicyHead, type HostReport, hostPolicyHead, openHostPolicy } from '../protocol/index.ts';
import { type AgentState, type PolicyRef, samePolicy, wentBackFrom } from './agent-state.ts';
import { createHolding, type HoldingOptions, type Taken } from './holding.ts';
import type { InForce } from './in-force.ts';
import { floorOf, type LastKnownOptions } from './last-known.ts';
import { isFinal, nackOf, nackOfState, noObject, reportedState } from './refusal.ts';
import { type Judgement, judge, type Surroundings } from './safety/judgement.ts';
import { inForm } from './safety/observed-policy.ts';
import { isEnforcing } from './standing.ts';

export interface TakeOverOptions extends Pick<LastKnownOptions, 'keys'>, Omit<HoldingOptions, 'inTurn' | 'whenDue'> {
  /** What is the case on this host now. */
  surroundings: () => Promise<Omit<Surroundings, 'enforcing'>>;
  /** Whether the service was there when it was asked last. */
  isReached: () => boolean;
  /** Whether people approved what is offered; throws where they did not. Without it the word of the service is taken. */
  approve?: (head: HostPolicyHead) => Promise<boolean>;
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
  view(): Pick<HostReport, 'applied' | 'state' | 'mode' | 'rules' | 'nack' | 'approvals'>;
  close(): Promise<void>;
}

export function createTakeOver(options: TakeOverOptions): TakeOver {
  const { known, standing, logger } = options;
  const { run: inTurn, settled } = createWorkQueue();
  const holding = createHolding({ ...options, inTurn, whenDue: () => inTurn(settle) });

  async function offer(signed: Uint8Array, revision: number): Promise<Outcome> {
    let approved = false;
    try {
      // Not in turn: what is asked of a service that gives no answer holds up no way back.
      approved = await isApproved(signed);
    } catch (thrown) {
      return inTurn(async () => refused(thrown, revision));
    }
    return inTurn(() => takeOver(signed, approved).catch((thrown: unknown) => refused(thrown, revision)));
  }

  function refused(thrown: unknown, revision: number): Outcome {
    const nack = nackOf(thrown, revision);
    holding.refuse(nack);
    logger.error({ event: 'refused', revision, code: nack.code, err: thrown }, messageOf(thrown));
    options.onChanged();
    return isFinal(thrown) ? 'settled' : 'again';
  }

  async function isApproved(signed: Uint8Array): Promise<boolean> {
    const { aud, keys, approve } = options;
    if (approve === undefined) return false;
    return approve(await hostPolicyHead(signed, { aud, keys: keys(), floor: known.state().floor }));
  }

  async function takeOver(signed: Uint8Array, approved: boolean): Promise<Outcome> {
    const { aud, keys } = options;
    const before = known.state();
    const floor = floorOf(before, (await options.inForce())?.highest ?? null);
    const { head, policy } = await openHostPolicy(signed, { aud, keys: keys(), floor });
    const { revision, hash } = policy;
    const ref: PolicyRef = approved ? { revision, hash, approved } : { revision, hash };
    if (wentBackFrom(before, ref)) {
      holding.refuse(nackOfState(before));
      return 'settled';
    }
    if (policy.objects.length === 0 && (await enforces())) throw noObject(aud);
    const judgement = await judged(policy);
    if (judgement.form === 'none') {
      refuse(ref, judgement);
      return 'again';
    }
    const state = { ...before, floor: { revision, hash, issuedAt: head.issuedAt } };
    if (!isHeld(ref, state) && !(await isKept(ref, state))) await known.keep(ref, signed);
    await inForce({ ref, form: judgement.form, served: policy }, state);
    refuse(ref, judgement);
    return 'settled';
  }

  /** Not where its file was not to be used any more, and the one before it stands. */
  function isHeld(ref: PolicyRef, { current }: AgentState): boolean {
    return samePolicy(current, ref) && samePolicy(holding.served(), ref);
  }

  /** By an offer before this one. */
  async function isKept(ref: PolicyRef, { next }: AgentState): Promise<boolean> {
    return samePolicy(next, ref) && (await known.policy(ref)) !== null;
  }

  async function inForce(taken: Taken, before: AgentState): Promise<void> {
    const { ref, form, served } = taken;
    const policy = inForm(served, form);
    const isChange = !isHeld(ref, before) || before.form !== form;
    const next = isChange ? { ...ref, tried: await isTried(policy, before) } : null;
    const state = { ...before, next };
    const isBegun = samePolicy(before.next, ref);
    if (next !== null && !(isBegun && before.next?.tried === next.tried)) await known.switchTo(state);
    const writes = await holding.put(policy, state.numberAtLeast).catch(async (thrown: unknown) => {
      // What the driver refused before it wrote anything was not begun; unless it was before.
      if (isFinal(thrown)) await known.remember({ ...state, next: isBegun ? next : null });
      else if (next !== null) holding.finishLater(ref, thrown);
      throw thrown;
    });
    await holding.commit(taken, state, next?.tried ?? false);
    const { revision, hash } = ref;
    logger.info({ event: 'policy_applied', revision, hash, form, writes }, form === 'served' ? 'applied' : 'observed');
    options.onChanged();
  }

  /** Whether what changes goes back unless the service is reached under it. */
  async function isTried(policy: CompiledPolicy, { next, current }: AgentState): Promise<boolean> {
    if (!isEnforcing(policy)) return false;
    // What was begun, and what takes its place, are one change: the service may have gone with the half that got in.
    if (next?.tried) return true;
    // What was away before is no sign.
    if (!options.isReached()) return false;
    // The same under another number is no change.
    if (standing.policy()?.hash === policy.hash || isWholly(await options.inForce(), policy)) return false;
    // Of what enforced here before nothing is known: going back would open the host.
    return current !== null || !(await enforces());
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
      holding.refuse(null);
      return;
    }
    const { code, message, mend } = judgement;
    const before = holding.refusal();
    holding.refuse({ revision, code, message });
    if (before?.revision === revision && before.code === code && before.message === message) return;
    logger.warn({ event: 'not_enforced', revision, code, mend }, message);
    options.onChanged();
  }

  async function settle(): Promise<void> {
    await known.save();
    if (await holding.settle()) return;
    if (known.state().form === 'observe') await judgeAgain().catch(logNotJudged);
  }

  function logNotJudged(thrown: unknown): void {
    logger.error({ event: 'not_enforced', err: thrown }, messageOf(thrown));
  }

  async function judgeAgain(): Promise<void> {
    const state = known.state();
    const { current: ref } = state;
    const served = holding.served();
    // Of what stands in its place nothing was refused.
    if (served === null || ref === null || !isHeld(ref, state) || wentBackFrom(state, ref)) return;
    const judgement = await judged(served);
    if (judgement.form === 'served') await inForce({ ref, form: 'served', served }, state);
    refuse(ref, judgement);
  }

  return {
    restore: () => inTurn(holding.restore),
    offer,
    settle: () => inTurn(settle),
    view() {
      const state = known.state();
      // What was put back where there was none is no policy.
      const stands = state.current === null ? null : standing.policy();
      // Whoever numbers policies has to hear of it: below that number nothing is taken.
      const applied = stands === null ? holding.unread() : { revision: stands.revision, hash: stands.hash };
      return {
        applied,
        state: reportedState(state, holding.refusal(), applied !== null),
        mode: stands?.objects[0]?.mode ?? null,
        rules: standing.rules(),
        nack: holding.refusal(),
        approvals: applied === null ? null : state.current?.approved === true ? 'verified' : 'unverified',
      };
    },
    async close() {
      holding.close();
      await settled();
    },
  };
}

function isWholly(kernel: InForce | null, { hash }: CompiledPolicy): boolean {
  return kernel !== null && kernel.rules !== null && kernel.hashes.every((one) => one === hash);
}
