/** What a draft would change of recorded traffic, for people. Bounded, unless all of it is asked for. */
import { describeFlow, type ReplayGroup, type ReplayTally, reasonInWords } from '@edgeward/policy';
import { bounded } from '../bigip/finding-lines.ts';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import type { Replayed } from './replay.ts';

const shortGroups = 20;

export function replayText(result: Replayed, all: boolean, paint: Paint): string {
  const groups = result.groups.map((group) => groupLines(group, paint).join('\n'));
  const { newlyDenied, newlyAllowed, stillAllowed, stillDenied, ungrouped } = result;
  const rows: [string, ReplayTally][] = [
    [paint.bad('newly denied '), newlyDenied],
    [paint.good('newly allowed'), newlyAllowed],
    ['still allowed', stillAllowed],
    ['still denied ', stillDenied],
  ];
  const shown = bounded(groups, all ? Infinity : shortGroups, paint);
  const parts = [
    shown.length === 0 ? '' : `${shown.join('\n')}\n`,
    ungrouped.records === 0 ? '' : `${tallyText(ungrouped)} in groups beyond the first 1,000\n`,
    rows.map(([name, tally]) => `${name}  ${tallyText(tally)}\n`).join('') + unreadableText(result),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** `12 flows`; where lines carry counts `12 flows in 3 records`. */
function tallyText({ records, count }: ReplayTally): string {
  return records === count ? counted(count, 'flow') : `${counted(count, 'flow')} in ${counted(records, 'record')}`;
}

function groupLines(group: ReplayGroup, paint: Paint): string[] {
  const { source, object, port, request, after, before, examples } = group;
  const word = group.change === 'newly-denied' ? paint.bad('newly denied ') : paint.good('newly allowed');
  const head = `${source} → ${object} ${port}${request === null ? '' : ` ${request}`}`;
  const lines = [
    `now ${verdictText(after)}${nearText(group)}`,
    ...(before.reason === null ? [] : [`was ${verdictText(before)}`]),
    ...examples.map((flow) => `e.g. ${describeFlow(flow)}`),
  ];
  return [`${word}  ${tallyText(group)}  ${printable(head)}`, ...lines.map((line) => `    ${printable(line)}`)];
}

function verdictText({ verdict, reason, rule }: ReplayGroup['after']): string {
  const words = reason === null ? '' : `: ${reasonInWords(reason)}`;
  return `${verdict}${words}${rule === null ? '' : ` '${rule}'`}`;
}

function nearText({ nearestRule, missed }: ReplayGroup): string {
  return nearestRule === null ? '' : `; nearest rule '${nearestRule}': ${missed}`;
}

function unreadableText({ unreadable: { records, first } }: Replayed): string {
  if (records === 0) return '';
  const lines = first.map(({ line, code, message }) => `    ${line}: ${code}  ${printable(message)}\n`);
  return `unreadable     ${counted(records, 'record')}\n${lines.join('')}`;
}
