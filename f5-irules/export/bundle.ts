/** The files of a change. Each is made when it is written, so that a million records are never held at once. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgewardError } from '@edgeward/runtime';
import { inPartition } from '../driver/box-paths.ts';
import type { Change } from './change.ts';
import { expectationLines } from './expectations.ts';
import type { FolderFile } from './folder.ts';
import { type ProcedureOptions, procedureText } from './procedure.ts';
import { groupStanza, ruleStanza } from './tmsh-text.ts';

export async function* filesOf(change: Change, options: ProcedureOptions): AsyncGenerator<FolderFile> {
  yield { path: 'PROCEDURE.md', content: [procedureText(change, options)] };
  yield { path: 'forward.conf', content: forwardText(change) };
  if (change.back.by === 'map') yield { path: 'back.conf', content: backText(change) };
  for (const rule of [change.rules.l4, change.rules.l7])
    yield { path: `${rule.name}.irule`, content: [`${rule.text}\n`] };
  for (const { group } of change.files) yield { path: `data/${group.name}.txt`, content: group.lines() };
  yield { path: 'verify.sh', content: [await verifyScript()], executable: true };
  yield { path: 'verify.expected', content: expectationLines(change) };
}

/** What is used comes before what uses it; the map is the switch, and the last. */
function* forwardText({ revision, point, groups, changedRules, meta, map }: Change): Generator<string> {
  yield `# Edgeward revision ${revision} for ${point}: load it with merge.\n`;
  for (const { name, type, records } of groups)
    yield* groupStanza({ fullPath: inPartition(name), type, records: records() });
  for (const { fullPath, text } of changedRules) yield ownRule(fullPath, text);
  yield* groupStanza(meta);
  yield* groupStanza(map);
}

function* backText({ back, point }: Change): Generator<string> {
  if (back.by !== 'map') return;
  yield `# Edgeward, the way back for ${point}: load it with merge.\n`;
  for (const { fullPath, text } of back.rules)
    yield ruleStanza(fullPath, text) ?? `# ${fullPath} had a text whose braces do not pair; it is not here.\n`;
  if (back.meta !== null) yield* groupStanza(back.meta);
  yield* groupStanza(back.map);
}

function ownRule(fullPath: string, text: string): string {
  const stanza = ruleStanza(fullPath, text);
  if (stanza !== null) return stanza;
  throw new EdgewardError('EDW_ERR_INTERNAL', `writing ${fullPath}: its braces do not pair`, {
    mend: 'This is a bug: please report it.',
  });
}

/** The script is a file of this folder, so that it can be read and checked as one. */
function verifyScript(): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = here.endsWith(join('dist', 'export')) ? join(here, '..', '..') : dirname(here);
  return readFile(join(root, 'export', 'verify.sh'), 'utf8');
}
