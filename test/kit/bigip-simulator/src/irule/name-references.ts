/**
 * Objects that a rule names literally must exist when it is saved; a name that a variable holds is not looked at.
 * Recorded for data groups and pools; for virtual servers it is presumed.
 */
import { type Loading, literalOf, type Reference } from './loading.ts';
import type { Command, Word } from './words.ts';

/** The word of each command that names an object, or null. */
const NAMED: Readonly<Record<string, (words: readonly Word[]) => Word | undefined>> = {
  class: classOf,
  matchclass: (words) => words.at(-1),
  findclass: (words) => words[1],
  pool: (words) => words[0],
  active_members: afterOptions,
  members: afterOptions,
  'LB::reselect': poolOption,
  'LB::select': poolOption,
  'LB::status': poolOption,
  virtual: (words) => (literalOf(words[0]) === 'name' ? undefined : words[0]),
};

export function collectReferences(loading: Loading, name: string, command: Command): void {
  if (!Object.hasOwn(NAMED, name)) return;
  const object = literalOf(NAMED[name]?.(command.words.slice(1)));
  if (object === null || object === '') return;
  const { start, end } = command;
  const shown = loading.reading.text.slice(start, end);
  loading.references.push({ kind: kindOf(name), name: object, offset: start, shown });
}

function kindOf(command: string): Reference['kind'] {
  if (command === 'virtual') return 'virtual';
  return command.endsWith('class') ? 'value_list' : 'pool';
}

function classOf([subcommand, ...words]: readonly Word[]): Word | undefined {
  switch (literalOf(subcommand)) {
    case 'match':
    case 'search':
    case 'lookup':
    case 'element':
      return words.at(-1);
    case 'type':
    case 'size':
      return words[0];
    case 'names':
    case 'get':
      return afterOptions(words);
    default:
      // `class exists` asks just this, and the search commands take what they are given when they run.
      return undefined;
  }
}

function afterOptions(words: readonly Word[]): Word | undefined {
  return words.find((word) => literalOf(word)?.startsWith('-') !== true);
}

function poolOption(words: readonly Word[]): Word | undefined {
  return literalOf(words[0]) === 'pool' ? words[1] : undefined;
}

/** Relative names are looked for in /Common and then beside the rule. */
export function isKnown(loading: Loading, { kind, name }: Reference): boolean {
  if (name.startsWith('/')) return loading.names.has(kind, name);
  const folder = loading.fullPath.slice(0, loading.fullPath.lastIndexOf('/'));
  return loading.names.has(kind, `/Common/${name}`) || loading.names.has(kind, `${folder}/${name}`);
}
