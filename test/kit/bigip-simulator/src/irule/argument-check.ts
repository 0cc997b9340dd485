/** Which words of which commands are scripts and expressions, and what F5's loader says of words that can't be right. */
import { splitList } from './list-elements.ts';
import { literalOf } from './loading.ts';
import type { Walk } from './script-check.ts';
import { tclSubcommands } from './tcl-commands.ts';
import type { Command, Word } from './words.ts';

/** Answers why the command is refused, or null. `words` are the command's words after its name. */
type Check = (walk: Walk, words: readonly Word[], command: Command) => string | null;

const CHECKS: Readonly<Record<string, Check>> = {
  if: checkIf,
  while: (walk, words) => parts(walk, words, ['expression', 'script']),
  for: (walk, words) => parts(walk, words, ['script', 'expression', 'script', 'script']),
  foreach: (walk, words) => (words.length % 2 === 0 ? 'wrong # args' : lastAsScript(walk, words)),
  switch: checkSwitch,
  catch: (walk, words) => parts(walk, words, ['script']),
  expr: checkExpr,
  eval: checkConcatenated,
  uplevel(walk, words, command) {
    const hasLevel = words.length > 1 && /^#?\d+$/.test(literalOf(words[0]) ?? '');
    return checkConcatenated(walk, hasLevel ? words.slice(1) : words, command);
  },
  after(walk, words, command) {
    if (['cancel', 'info'].includes(literalOf(words[0]) ?? '')) return null;
    return checkConcatenated(walk, words.slice(literalOf(words[1]) === '-periodic' ? 2 : 1), command);
  },
  trace(walk, words) {
    // Recorded: `trace info variable x` is refused, so three words can't stand.
    if (words.length === 3) return 'wrong # args';
    return words.length === 4 ? lastAsScript(walk, words) : null;
  },
  clientside: lastAsScript,
  serverside: lastAsScript,
  peer: lastAsScript,
  log: checkLog,
  event: checkEvent,
};

/** Walks into the words of a command by this name; answers why it is refused, or null. */
export function checkArguments(walk: Walk, name: string, command: Command): string | null {
  const words = command.words.slice(1);
  const known = tclSubcommands[name];
  const given = literalOf(words[0]);
  if (known !== undefined && given !== null && !known.some((subcommand) => subcommand.startsWith(given))) {
    return `invalid option "${given}" must be: ${known.join(', ')}`;
  }
  return Object.hasOwn(CHECKS, name) ? (CHECKS[name]?.(walk, words, command) ?? null) : null;
}

function parts(walk: Walk, words: readonly Word[], kinds: readonly ('script' | 'expression')[]): null {
  for (const [index, kind] of kinds.entries()) {
    const word = words[index];
    if (word !== undefined) walk[kind](word);
  }
  return null;
}

function lastAsScript(walk: Walk, words: readonly Word[]): null {
  return parts(walk, words.slice(-1), ['script']);
}

/** Several words become one script as it runs: only its first word is known now. */
function checkConcatenated(walk: Walk, words: readonly Word[], command: Command): null {
  const [first] = words;
  if (first !== undefined && words.length > 1) walk.head(first, command.end);
  return words.length > 1 ? null : parts(walk, words, ['script']);
}

function checkExpr(walk: Walk, words: readonly Word[]): null {
  const [first] = words;
  const last = words.at(-1);
  if (words.length === 1 || first === undefined || last === undefined) return parts(walk, words, ['expression']);
  walk.expressionAtRunTime(first.start, last.end);
  return null;
}

function checkIf(walk: Walk, words: readonly Word[]): string | null {
  let at = 0;
  let keyword = 'if';
  for (;;) {
    const condition = words[at++];
    if (condition === undefined) return 'missing an expression';
    walk.expression(condition);
    if (literalOf(words[at]) === 'then') at++;
    const body = words[at++];
    if (body === undefined) return `missing a script after "${keyword}"`;
    walk.script(body);
    if (at >= words.length) return null;
    if (literalOf(words[at]) !== 'elseif') break;
    keyword = 'elseif';
    at++;
  }
  if (literalOf(words[at]) === 'else') at++;
  const otherwise = words[at++];
  if (otherwise === undefined) return 'missing a script after "else"';
  // Recorded: `if {…} {…}` and then a comment on the same line is refused, and so is `else if`.
  if (at < words.length) return 'wrong # args';
  walk.script(otherwise);
  return null;
}

const SWITCH_OPTIONS: readonly string[] = ['-exact', '-glob', '-regexp', '--'];

function checkSwitch(walk: Walk, words: readonly Word[]): string | null {
  let at = 0;
  for (let option = literalOf(words[0]); option?.startsWith('-'); option = literalOf(words[at])) {
    if (!SWITCH_OPTIONS.includes(option)) return `invalid option "${option}" must be: ${SWITCH_OPTIONS.join(', ')}`;
    at++;
    if (option === '--') break;
  }
  const cases = words.slice(at + 1);
  const [only] = cases;
  if (only === undefined) return 'wrong # args';
  if (cases.length > 1) return checkCases(walk, cases);
  if (!only.plain) return null;
  const list = splitList(walk.text, only.innerStart, only.innerEnd);
  return list.state === 'invalid' ? `invalid list: ${list.reason}` : checkCases(walk, list.elements);
}

function checkCases(walk: Walk, cases: readonly Word[]): string | null {
  if (cases.length % 2 === 1) return `missing a script after "${literalOf(cases.at(-1)) ?? ''}"`;
  for (const [index, body] of cases.entries()) {
    if (index % 2 === 1 && literalOf(body) !== '-') walk.script(body);
  }
  return null;
}

/** Recorded: `log local0. a # comment` is `invalid 'local0.'; expected:-noname`. */
function checkLog(walk: Walk, words: readonly Word[]): string | null {
  const rest = literalOf(words[0]) === '-noname' ? words.slice(1) : words;
  const [first] = rest;
  if (rest.length <= 2 || first === undefined) return null;
  return `"invalid '${walk.text.slice(first.start, first.end)}'; expected:-noname"`;
}

/** Recorded: `event disable HTTP_REQUEST` is `invalid 'HTTP_REQUEST'; expected:all`. */
function checkEvent(_walk: Walk, [action, which]: readonly Word[]): string | null {
  const given = literalOf(which);
  const takesAll = ['disable', 'enable'].includes(literalOf(action) ?? '');
  return takesAll && given !== null && given !== 'all' ? `"invalid '${given}'; expected:all"` : null;
}
