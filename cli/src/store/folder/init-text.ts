/** What a new store is, and what comes next: the steps to a first version, each a line that can be typed. */
import { join } from 'node:path';
import { type Paint, printable } from '../../frame/terminal-text.ts';
import type { InitAnswer } from './init.ts';

export function initText(answer: InitAnswer, dir: string, paint: Paint): string {
  const { store, root, people, thresholds, hosts } = answer;
  const { normal, elevated, root: forRoot, breakGlassHours } = thresholds;
  const glass = breakGlassHours === 0 ? 'no break-glass' : `break-glass up to ${breakGlassHours} h`;
  const head =
    store === null ? `would make a store in ${printable(dir)}` : `made the store ${store} in ${printable(dir)}`;
  const lines = [
    head,
    ...people.map(
      ({ name, roles, kids }) => `  ${name}  ${roles.join(', ')}${kids.length === 0 ? '' : `  ${kids.join(' ')}`}`,
    ),
    `  approvers beside the proposer: ${normal}, with a risk ${elevated}; a new trust root: ${forRoot}; ${glass}`,
    `  reached as ${printable(hosts.join(', '))}`,
  ];
  return `${[...lines, ...(root.digest === null ? [] : nextLines(answer, dir, root.digest, paint))].join('\n')}\n`;
}

function nextLines({ people, root, config }: InitAnswer, dir: string, digest: string, paint: Paint): string[] {
  const somebody = people[0]?.name ?? 'NAME';
  return [
    '',
    `trust root 1, fingerprint ${paint.strong(digest)}`,
    `  ${printable(root.file ?? '')} is what people and points pin: let them compare the fingerprint by another way.`,
    '',
    'Next:',
    ...[
      `edgeward store certificate ${dir} --person ${somebody} --signing-key ${somebody}.key --out ${somebody}-tls   (for each person)`,
      `edgeward store certificate ${dir} --point POINT --out POINT-tls   (for each sync service)`,
      `edgeward store serve --config ${config ?? join(dir, 'edgeward-store.yaml')}`,
      'edgeward store propose POLICIES --reason TEXT   (as an author, with a profile: `edgeward store --help`)',
    ].map((line) => `  ${printable(line)}`),
  ];
}
