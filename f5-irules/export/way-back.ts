/** The two parts of a procedure that touch virtual servers, or undo: attaching the rules, and how to go back. */

import { withOwnRules } from '../driver/review/own-rules.ts';
import type { Attachment } from './attachments.ts';
import type { Change } from './change.ts';
import { rulesCommand } from './commands.ts';
import { commands, plain, type Step, surplusBody } from './steps.ts';

/** Nothing where every virtual server has what it needs. */
export function attachSteps({ attachments }: Change): Step[] {
  const open = attachments.filter(({ state }) => state !== 'attached');
  if (open.length === 0) return [];
  const paragraphs = [
    ...missingText(open.filter(({ state }) => state === 'missing')),
    ...blindText(open.filter(({ state }) => state === 'blind')),
    ...attachText(open.filter(({ state }) => state === 'none' || state === 'partly')),
    ...unknownText(open.filter(({ state }) => state === 'unknown')),
  ];
  const intro =
    'From here on a virtual server is judged: connections, and requests where its object says `protocol: http`. It is the one change to objects outside the partition, and is made once for each virtual server. Ours come first.';
  return [{ title: 'Attach the rules', body: [intro, ...paragraphs] }];
}

function missingText(missing: readonly Attachment[]): string[] {
  if (missing.length === 0) return [];
  const names = missing.map(({ bind, object }) => `${plain(bind)} (${object})`).join(', ');
  return [`Not on this box, so that nothing is attached: ${names}.`];
}

function blindText(blind: readonly Attachment[]): string[] {
  if (blind.length === 0) return [];
  const names = blind.map(({ bind }) => plain(bind)).join(', ');
  return [
    `Only the rule for connections is attached to ${names}: whatever needs a look at a request is denied there. Attach the other one, then export again.`,
    ...attachText(blind),
  ];
}

function attachText(open: readonly Attachment[]): string[] {
  const lines = open.flatMap(({ bind, after }) => rulesCommand(bind, after) ?? []);
  const unsayable = open.filter(({ bind, after }) => rulesCommand(bind, after) === null);
  return [
    ...(lines.length === 0 ? [] : [commands(lines)]),
    ...unsayable.map(
      ({ bind, needed }) =>
        `${plain(bind)} has a rule whose name no command line can carry: in the GUI, put ${needed.join(' and ')} first.`,
    ),
  ];
}

function unknownText(unknown: readonly Attachment[]): string[] {
  const open = unknown.flatMap(({ bind, needed }) => rulesCommand(bind, needed) ?? []);
  if (open.length === 0) return [];
  return [
    'Where the rules are attached already, leave this out. Each line sets the whole list of rules: if `virtuals-before.txt` shows others for a virtual server, add their names before the closing brace.',
    commands(open),
  ];
}

export function backSteps(change: Change, folder: string): Step {
  const title = 'How to go back';
  const { back } = change;
  if (back.by === 'detach') {
    return { title, body: [...(change.held === null ? loadBeforeText(change, folder) : []), ...detachText(change)] };
  }
  const file = `${folder}/back.conf`;
  const held = change.held?.policy?.head.revision;
  return {
    title,
    body: [
      `One load brings revision ${held} back; its groups are still there.`,
      commands([`tmsh load sys config merge file ${file} verify`, `tmsh load sys config merge file ${file}`]),
      ...(back.surplus.length === 0 ? [] : surplusBody(back.surplus)),
      'Save and sync as above. A sync service that may write to this box brings the newest policy into force again: stop it first.',
      ...(wasAttached(change) ? ['To stop enforcing altogether:', ...detachLines(change)] : []),
    ],
  };
}

function loadBeforeText(change: Change, folder: string): string[] {
  return [
    'If `map-before.conf` holds a record `edgeward`, a policy was in force before. One load brings it back; its groups are still there.',
    commands([
      `tmsh load sys config merge file ${folder}/map-before.conf`,
      `tmsh load sys config merge file ${folder}/meta-before.conf`,
    ]),
    `Virtual servers that are in ${change.map.fullPath} now and were not before keep their entries; delete them by name as above.`,
    'If it holds none, no policy was in force before:',
  ];
}

function detachText(change: Change): string[] {
  return [
    'There is no `back.conf`: an empty map is no way back, it denies everybody. Take the rules off the virtual servers instead; then nothing of Edgeward judges anything.',
    ...detachLines(change),
    'Then save and sync as above. What is left in the partition does nothing.',
  ];
}

function detachLines({ attachments, held }: Change): string[] {
  const there = attachments.filter(({ state }) => state !== 'missing');
  const withoutOwn = ({ bind, before }: Attachment): string | null => rulesCommand(bind, withOwnRules(before, []));
  const lines = there.flatMap((attachment) => withoutOwn(attachment) ?? []);
  const unsayable = there.filter((attachment) => withoutOwn(attachment) === null);
  const hint =
    'Each line sets the whole list: write the names that `virtuals-before.txt` shows in braces instead of `none`.';
  return [
    ...(held === null && lines.length > 0 ? [hint] : []),
    ...(lines.length === 0 ? [] : [commands(lines)]),
    ...unsayable.map(({ bind }) => `${plain(bind)}: in the GUI, take the rules of Edgeward off its list.`),
  ];
}

function wasAttached({ attachments }: Change): boolean {
  return attachments.some(({ state }) => state !== 'missing');
}
