/**
 * Objects that a rule names literally must exist when it is saved; a name that a variable holds is not looked at.
 * Recorded for data groups and pools; for virtual servers it is presumed. A rule whose procedure is called may come
 * later, but can't be removed then (recorded).
 */
import { type Loading, literalOf, type Reference } from './loading.ts';
import type { Command, Word } from './words.ts';

/** The word of each command that names an object. */
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
  call: (words) => words[0],
};

export function collectReferences(loading: Loading, command: Command, name: string): void {
  if (!Object.hasOwn(NAMED, name)) return;
  const given = literalOf(NAMED[name]?.(command.words.slice(1)));
  const object = name === 'call' ? ruleOf(loading.fullPath, given ?? '') : given;
  if (object === null || object === '') return;
  const { start, end } = command;
  const shown = loading.reading.text.slice(start, end);
  const kind = kindOf(name);
  const asksOnly = name === 'class' && literalOf(command.words[1]) === 'exists';
  loading.references.push({ kind, isRequired: kind !== 'rule' && !asksOnly, name: object, offset: start, shown });
}

/** `rule::proc` is of a rule at the root of the caller's partition, and no other relative path is (recorded). */
function ruleOf(caller: string, target: string): string | null {
  const end = target.lastIndexOf('::');
  if (end <= 0) return null;
  const rule = target.slice(0, end);
  return rule.startsWith('/') ? rule : `/${caller.split('/')[1]}/${rule}`;
}

function kindOf(command: string): Reference['kind'] {
  if (command === 'virtual') return 'virtual';
  if (command === 'call') return 'rule';
  return command.endsWith('class') ? 'value_list' : 'pool';
}

function classOf([subcommand, ...words]: readonly Word[]): Word | undefined {
  switch (literalOf(subcommand)) {
    case 'search':
      return afterOptions(words);
    case 'match':
    case 'lookup':
    case 'element':
      return words.at(-1);
    case 'exists':
    case 'type':
    case 'size':
      return words[0];
    case 'names':
    case 'get':
      return afterOptions(words);
    default:
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
export function isMissing(loading: Loading, { kind, name, isRequired }: Reference): boolean {
  const folder = loading.fullPath.slice(0, loading.fullPath.lastIndexOf('/'));
  const candidates = name.startsWith('/') ? [name] : [`/Common/${name}`, `${folder}/${name}`];
  const isKnown = candidates.some((candidate) => loading.names.has(kind, candidate));
  return isRequired && !isKnown;
}
