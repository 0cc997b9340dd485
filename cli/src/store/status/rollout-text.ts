/** A roll-out for a person: each wave with how far it is, what stopped it, and what somebody may do now. */
import { counted, type Paint, printable } from '../../frame/terminal-text.ts';
import type { ShownRollout } from './store-status.ts';

export function rolloutText(rollout: ShownRollout | undefined, paint: Paint): string {
  if (rollout === undefined || rollout.state === 'none') return '';
  const { state, version, atOnce, waves, wave } = rollout;
  const tone = state === 'halted' || state === 'returned' ? paint.bad : state === 'done' ? paint.good : paint.warn;
  const once = atOnce === null ? '' : `, to all points at once (${atOnce})`;
  const lines = [
    `roll-out of version ${version ?? '-'}  ${tone(printable(state))}${printable(once)}`,
    ...waves.map((it, i) => `  ${waveText(it, i + 1, wave, paint)}`),
    ...rollout.trouble.map(
      ({ point, kind, message }) => `  ${paint.bad('trouble')}  ${printable(`${point ?? 'all'}  ${kind}: ${message}`)}`,
    ),
    ...(rollout.stopped === null
      ? []
      : [printable(`  ${state} at ${rollout.stopped.at} by ${rollout.stopped.by}: ${rollout.stopped.why}`)]),
    ...nextLines(rollout).map((line) => `  ${printable(line)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function waveText(
  { title, points, counts, applying, away }: ShownRollout['waves'][number],
  at: number,
  now: number | null,
  paint: Paint,
): string {
  const said = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `${count} ${word}`);
  const named = [
    ...(applying.length === 0 ? [] : [`waits for ${few(applying)}`]),
    ...(away.length === 0 ? [] : [`away: ${few(away)}`]),
  ];
  const text = `${at}  ${title}: ${counted(points, 'point')}${said.length === 0 ? '' : `, ${said.join(', ')}`}${named.map((it) => `; ${it}`).join('')}`;
  return at === now ? paint.strong(printable(text)) : printable(text);
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function nextLines({ state, confirm, wayBack }: ShownRollout): string[] {
  const lines: string[] = [];
  if (confirm !== null && confirm.by === null && confirm.until !== null)
    lines.push(
      `enforces ${few(confirm.objects)} for the first time: \`edgeward store rollout confirm\` until ${confirm.until}, or it goes back`,
    );
  if (wayBack !== null && state !== 'returned' && state !== 'done')
    lines.push(wayBack.state === 'open' ? `way back until ${wayBack.until}` : `no way back: ${wayBack.why}`);
  if (state === 'halted')
    lines.push('`edgeward store rollout resume` goes on, `edgeward store rollout return` goes back');
  return lines;
}
