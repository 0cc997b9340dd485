import type { Model } from './model.ts';

/** What ends by itself: a network at its `expires`, a rule at its `until`. Both are over from that instant on. */
export function isOver(endMs: number | null, nowMs: number): boolean {
  return endMs !== null && endMs <= nowMs;
}

/** The next instant at which `expires` or `until` changes what is compiled, or null. */
export function nextChangeMs(model: Model, nowMs: number): number | null {
  let next: number | null = null;
  const consider = (ms: number | null): void => {
    if (ms !== null && ms > nowMs && (next === null || ms < next)) next = ms;
  };
  model.networks.forEach((network) => {
    consider(network.value.expiresMs);
  });
  model.policies.forEach((policy) => {
    policy.value.rules.forEach((rule) => {
      consider(rule.untilMs);
    });
  });
  return next;
}
