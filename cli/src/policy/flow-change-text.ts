/** What plans of all kinds say alike: what is lost and gained at a mode, requests, lists that are cut. */
import { type Request, requestText } from '@edgeward/policy';
import { printable } from '../frame/terminal-text.ts';

/** What is gained and lost are verdicts; a mode may let everything pass. */
export function passingText(mode: string): string {
  if (mode === 'observe') return ': everything passes, and denials are recorded';
  return mode === 'off' ? ': everything passes' : '';
}

/** `denial`: what a change of a deny rule means on this side. */
export function requestsText(requests: readonly Request[], denial: string, limit: number): string {
  const texts = requests.map((request) =>
    printable(`${request.by === 'deny' ? `${denial}: ` : ''}${requestText(request)}`),
  );
  return few(texts, limit, '; ');
}

export function few(texts: readonly string[], limit: number, joint = ', ', total: number = texts.length): string {
  if (total <= limit && texts.length === total) return texts.join(joint);
  const shown = texts.slice(0, limit);
  return `${shown.join(joint)} and ${(total - shown.length).toLocaleString('en')} more`;
}
