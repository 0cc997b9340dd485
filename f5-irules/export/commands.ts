/** Command lines for what a merge can't say: files of large groups, records that must go, rules of a virtual server. */
import { inPartition } from '../driver/box-paths.ts';
import type { FileChange, Surplus } from './change.ts';
import { type CommandPart, tmshCommand } from './tmsh-text.ts';

/** `folder` is where the files lie on the box. */
export function fileCommands({ group, need }: FileChange, folder: string): string[] {
  const path = inPartition(group.name);
  const source = `source-path file:${folder}/${group.name}.txt`;
  const lines: string[] = [];
  if (need.file === 'none') lines.push(`tmsh create sys file data-group ${path} ${source} type ${group.type}`);
  if (need.file === 'other') lines.push(`tmsh modify sys file data-group ${path} ${source}`);
  // A group that stands must be written too: boxes keep the old content of its file in force until then.
  const verb = need.do === 'create' ? 'create' : 'modify';
  return [...lines, `tmsh ${verb} ltm data-group external ${path} external-file-name ${path}`];
}

const NAMES_PER_LINE = 20;

/** `unsayable`: groups with records that no command line can name. */
export function surplusCommands(surplus: readonly Surplus[]): { lines: string[]; unsayable: string[] } {
  const lines: string[] = [];
  const unsayable: string[] = [];
  for (const { fullPath, names } of surplus) {
    const sayable = names.filter(isSayable);
    if (sayable.length < names.length) unsayable.push(fullPath);
    for (let at = 0; at < sayable.length; at += NAMES_PER_LINE) {
      const line = deletion(fullPath, sayable.slice(at, at + NAMES_PER_LINE));
      if (line !== null) lines.push(line);
    }
  }
  return { lines, unsayable };
}

/**
 * Words that mean something of their own where a name is expected: `records delete { all }` empties a group, whatever the
 * record's name is. Quotes would not help: tmsh takes them away before it looks.
 */
const MEANINGFUL = new Set(['all', 'none', 'default', '']);

function isSayable(name: string): boolean {
  return !/\p{Cc}/u.test(name) && !MEANINGFUL.has(name.toLowerCase()) && !name.startsWith('-');
}

function deletion(fullPath: string, names: readonly string[]): string | null {
  const head = `modify ltm data-group internal ${fullPath} records delete {`;
  return tmshCommand([head, ...names.map((word): CommandPart => ({ word })), '}']);
}

/** The whole list of rules: tmsh has no way to add one to it. null: a name that no command line can carry. */
export function rulesCommand(bind: string, rules: readonly string[]): string | null {
  if (![bind, ...rules].every(isSayable)) return null;
  const list: CommandPart[] = rules.length === 0 ? ['none'] : ['{', ...rules.map((word) => ({ word })), '}'];
  return tmshCommand(['modify ltm virtual', { word: bind }, 'rules', ...list]);
}
