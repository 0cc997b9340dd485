/**
 * The policy that stands on this host, put there by the driver, and everyone who has to know of it: the guard that keeps it,
 * the denials that it names. One of them at a time; what could not be put leaves the one before.
 */
import type { EnforcementPoint } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { createWorkQueue } from '@edgeward/runtime';
import type { Netfilter } from '../driver/index.ts';
import { readInForce } from './in-force.ts';
import type { Denials, Guard } from './parts.ts';

export interface Standing {
  /**
   * Under its own number, or `atLeast` where that is higher. True where anything had to be written. Throws as the driver does.
   */
  put(policy: CompiledPolicy, atLeast: number): Promise<boolean>;
  /** What stands by our doing, numbered as it was made; null before the first. */
  policy(): CompiledPolicy | null;
  /** Digests of the rules of both families, as they were written; null until they could be read. */
  rules(): string | null;
  /** Another has put the same policy anew, under rules of another generation: they are read, and told. Never rejects. */
  repaired(): Promise<void>;
  /** What could not be read after an apply or a repair is tried again. Never rejects. */
  settle(): Promise<void>;
  /** Tells what stands now, and from then on. */
  tell(parts: { guard: Guard; denials: Denials }): void;
}

export interface StandingOptions {
  point: EnforcementPoint;
  netfilter: Netfilter;
}

interface Stands {
  policy: CompiledPolicy;
  /** As the kernel numbers it: what a repair has to apply. */
  numbered: CompiledPolicy;
  generation: number;
  sampled: string;
  rules: string | null;
}

const UNREAD = { generation: 0, sampled: '', rules: null };

export function createStanding({ point, netfilter }: StandingOptions): Standing {
  let stands: Stands | null = null;
  const queue = createWorkQueue();
  let isOld = false;
  let parts: { guard: Guard; denials: Denials } | null = null;

  function tellGuard(): void {
    parts?.guard.policyApplied(stands?.numbered ?? null);
  }

  function tellDenials(): void {
    parts?.denials.policyApplied(stands?.policy ?? null, stands?.generation ?? 0, stands?.sampled ?? '');
  }

  async function put(policy: CompiledPolicy, atLeast: number): Promise<boolean> {
    const numbered = { ...policy, revision: Math.max(policy.revision, atLeast) };
    await parts?.denials.policyComing(policy);
    parts?.guard.pause();
    try {
      const { writes } = await point.apply(numbered);
      // Whatever reading it says: a guard that was left with the one before would put that back.
      stands = { policy, numbered, ...UNREAD };
      isOld = true;
      if (!(await readAnew())) tellDenials();
      return writes > 0;
    } finally {
      tellGuard();
    }
  }

  /** True where something new was told. */
  async function readAnew(): Promise<boolean> {
    if (!isOld || stands === null) return false;
    // Before it is read: a repair meanwhile makes it old again.
    isOld = false;
    const found = await readInForce(netfilter).catch(() => null); // the guard finds the same fault, and tells it
    // Something else stands only while it is undone: the repair of that is told too.
    isOld ||= found === null || found.rules === null || found.hash !== stands.numbered.hash;
    if (found === null || isOld) return false;
    const { generation, sampled, rules } = found;
    stands = { ...stands, generation, sampled, rules };
    tellDenials();
    return true;
  }

  return {
    put: (policy, atLeast) => queue.run(() => put(policy, atLeast)),
    repaired: async () => {
      isOld = true;
      await queue.run(readAnew);
    },
    settle: async () => void (await queue.run(readAnew)),
    policy: () => stands?.policy ?? null,
    rules: () => stands?.rules ?? null,
    tell(told) {
      parts = told;
      tellGuard();
      tellDenials();
    },
  };
}

export function isEnforcing(policy: CompiledPolicy | null): boolean {
  return policy?.objects.some(({ mode }) => mode === 'enforce') ?? false;
}
