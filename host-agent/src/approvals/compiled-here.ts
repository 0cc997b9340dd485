/**
 * Whether an offered policy is what a verified state comes to. What ends by itself is in one policy and not in the next, and two
 * machines never have the same time: any instant near this host's own will do.
 */
import { createPointCompiler } from '@edgeward/policy-feed/last-hop';
import type { PointState } from '@edgeward/policy-format';
import { type HostPolicyHead, isSignedPolicy } from '../../protocol/index.ts';

/**
 * Clocks that differ by less agree. Whoever has the service gains nothing by it: what it offered a moment before a grant ends
 * stays until something newer comes, as ever.
 */
const CLOCKS_APART_MS = 300_000;
/** More than that ends within ten minutes nowhere; each is a whole policy compiled. */
const MOST_INSTANTS = 64;

export function isCompiledFrom(state: PointState, offered: HostPolicyHead, nowMs: number): boolean {
  if (state.head.revision !== offered.revision) return false;
  const compiler = createPointCompiler(offered.aud);
  const isIt = (atMs: number): { found: boolean; nextMs: number | null } => {
    const { policy, nextChangeAtMs } = compiler.compile(state, atMs);
    return { found: isSignedPolicy(offered, policy), nextMs: nextChangeAtMs };
  };
  if (isIt(nowMs).found) return true;
  let atMs: number | null = nowMs - CLOCKS_APART_MS;
  for (let count = 0; count < MOST_INSTANTS && atMs !== null && atMs <= nowMs + CLOCKS_APART_MS; count += 1) {
    const { found, nextMs } = isIt(atMs);
    if (found) return true;
    atMs = nextMs;
  }
  return false;
}
