/**
 * The words that run an NGINX with given arguments, on this machine or in a container. Starts nothing.
 */
import { containerWords, type Place } from './container-words.ts';
import type { NginxCandidate } from './nginx-binary.ts';

/** What `spawn` wants. `place` is what a container gets to see; without one it sees nothing of this machine. */
export function invocation(
  candidate: NginxCandidate,
  args: readonly string[],
  place?: Place,
): { program: string; args: string[] } {
  const { command, image } = candidate;
  const words = [...command, ...args];
  const [program = 'nginx', ...rest] = image === undefined ? words : containerWords(image, words, place);
  return { program, args: rest };
}
