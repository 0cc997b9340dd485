/** The top level of a rule: `when`, `proc`, `priority`, `timing`. Nothing else can stand there. */
import { events } from './events.ts';
import type { Handler, LoadedRule } from './loaded-rule.ts';
import { complain, type Loading, literalOf } from './loading.ts';
import { edited } from './rule-source.ts';
import { checkScript } from './script-check.ts';
import { lexScript } from './script-lexer.ts';
import type { Command, Word } from './words.ts';

type Procedure = LoadedRule['procs'][number];

interface Section<T> {
  of: T;
  body: Word;
}

interface Sections {
  handlers: Section<Omit<Handler, 'body'>>[];
  procs: Section<Omit<Procedure, 'body'>>[];
  priority: number;
}

const DEFAULT_PRIORITY = 500;
const HIGHEST_PRIORITY = 1000;

/** Reads and checks all; the bodies are those of the edited text. */
export function readSections(loading: Loading): LoadedRule {
  const { reading, fullPath } = loading;
  const sections: Sections = { handlers: [], procs: [], priority: DEFAULT_PRIORITY };
  const { commands } = lexScript(reading, 0, reading.text.length, false);
  for (const command of commands) {
    const refusal = reading.failure === null ? readSection(loading, sections, command) : null;
    if (refusal !== null) complain(loading, command, refusal);
  }
  // A failure can only be reported: nothing of the edits is whole then.
  if (reading.failure !== null || loading.problems.length > 0) return { fullPath, handlers: [], procs: [] };
  const text = ({ body }: Section<unknown>): string =>
    edited(reading.text, body.innerStart, body.innerEnd, reading.edits);
  return {
    fullPath,
    handlers: sections.handlers.map((section) => ({ ...section.of, body: text(section) })),
    procs: sections.procs.map((section) => ({ ...section.of, body: text(section) })),
  };
}

/** Answers why the section is refused, or null; what is wrong inside its body is complained of on the way. */
function readSection(loading: Loading, sections: Sections, command: Command): string | null {
  switch (literalOf(command.words[0])) {
    case 'when':
      return readWhen(loading, sections, command);
    case 'proc':
      return readProcedure(loading, sections, command);
    case 'priority':
      return readPriority(loading, sections, command);
    case 'timing':
      return isSwitch(command.words[1]) && command.words.length === 2 ? null : 'wrong # args';
    case 'nowrite':
    case 'nodelete':
    case 'definition-signature':
    case 'verification-signature':
      // F5's own rules begin with such lines.
      return null;
    default:
      return 'command is not valid in the current scope';
  }
}

const isSwitch = (word: Word | undefined): boolean => ['on', 'off'].includes(literalOf(word) ?? '');

function priorityOf(word: Word | undefined): number | null {
  const text = literalOf(word) ?? '';
  return /^[0-9]{1,4}$/.test(text) && Number(text) <= HIGHEST_PRIORITY ? Number(text) : null;
}

function readPriority(loading: Loading, sections: Sections, command: Command): string | null {
  const priority = priorityOf(command.words[1]);
  if (command.words.length !== 2) return 'wrong # args';
  if (priority === null) return unexpected(loading, command.words[1]);
  sections.priority = priority;
  return null;
}

/** Recorded for a priority beyond 1000 and for text after the body. */
function unexpected(loading: Loading, word: Word | undefined): string {
  const text = word === undefined ? '' : loading.reading.text.slice(word.start, word.end);
  return `unexpected extra argument "${text}"`;
}

function readWhen(loading: Loading, sections: Sections, command: Command): string | null {
  const [, name, ...rest] = command.words;
  const event = literalOf(name);
  if (event === null || rest.length === 0) return 'wrong # args';
  const options = readOptions(rest, sections.priority);
  const [body, extra] = options.rest;
  const isKnown = events.has(event);
  if (!isKnown) complain(loading, command, `unknown event (${event})`);
  if (body === undefined) return 'wrong # args';
  if (body.form !== 'braced') return unexpected(loading, body);
  if (extra !== undefined) return unexpected(loading, extra);
  const { priority } = options;
  if (sections.handlers.some(({ of }) => of.event === event && of.priority === priority)) {
    return 'Duplicate event';
  }
  sections.handlers.push({ of: { event, priority }, body });
  checkScript(loading, { event: isKnown ? event : null }, body.innerStart, body.innerEnd);
  return null;
}

/** `priority N` and `timing on|off`, in any order; what is wrong in them is what stands where the body should. */
function readOptions(words: readonly Word[], otherwise: number): { priority: number; rest: readonly Word[] } {
  let priority = otherwise;
  let at = 0;
  for (; at + 1 < words.length; at += 2) {
    const option = literalOf(words[at]);
    const given = priorityOf(words[at + 1]);
    if (option === 'priority' && given !== null) priority = given;
    else if (option === 'priority') return { priority, rest: words.slice(at + 1) };
    else if (option !== 'timing') break;
    else if (!isSwitch(words[at + 1])) return { priority, rest: words.slice(at + 1) };
  }
  return { priority, rest: words.slice(at) };
}

function readProcedure(loading: Loading, sections: Sections, command: Command): string | null {
  const [, nameWord, parametersWord, body, extra] = command.words;
  const name = literalOf(nameWord);
  const parameters = literalOf(parametersWord);
  if (name === null || parameters === null || body === undefined || extra !== undefined) {
    return 'wrong # args';
  }
  if (!body.plain) return unexpected(loading, body);
  // The last of several procedures by one name is the one that stands.
  sections.procs = sections.procs.filter(({ of }) => of.name !== name);
  sections.procs.push({ of: { name, parameters }, body });
  checkScript(loading, { event: null }, body.innerStart, body.innerEnd);
  return null;
}
