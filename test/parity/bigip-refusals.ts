/** Requests that the simulator's front resets before any rule, whatever the policy says. A short list. */
import type { Flow } from '@edgeward/policy';

export function frontRefuses(flow: Flow): boolean {
  const target = flow.path === undefined || flow.path === '' ? '/' : flow.path;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return /[\x00-\x20\x7f]/.test(target);
}
