/**
 * Walks a script as F5's loader does: every command is resolved now, also inside `catch` and inside the braces of
 * bodies, while what only a variable holds is not looked at. The walk makes the edits that turn scripts and
 * expressions into plain Tcl, and collects problems in F5's wording.
 */
import { checkArguments } from './argument-check.ts';
import { readExpression } from './expression.ts';
import { isF5Command, isValidIn } from './f5-commands.ts';
import { complain, complainOf, type Loading, literalOf, type Scope } from './loading.ts';
import { collectReferences } from './name-references.ts';
import { lexScript } from './script-lexer.ts';
import { disabledCommands, tclArity, topLevelCommands } from './tcl-commands.ts';
import { type Command, deeper, type Word } from './words.ts';

/** What the checks of arguments may do with a command's words. */
export interface Walk {
  /** The rule's text. */
  text: string;
  /** A word that Tcl will run as a script. */
  script(word: Word): void;
  /** A word that Tcl will evaluate as an expression. */
  expression(word: Word): void;
  /** Words that Tcl will put together and evaluate as an expression. */
  expressionAtRunTime(start: number, end: number): void;
  /** The first word of a script that is put together when it runs. */
  head(word: Word, shownEnd: number): void;
}

/** Reads and checks the script between two offsets. */
export function checkScript(loading: Loading, scope: Scope, start: number, end: number): void {
  const { reading } = loading;
  const script = deeper(reading, start, null, () => lexScript(reading, start, end, false));
  if (script === null) return;
  deeper(reading, start, undefined, () => checkCommands(loading, scope, script.commands));
}

function checkCommands(loading: Loading, scope: Scope, commands: readonly Command[]): void {
  const walk = walkOf(loading, scope);
  for (const command of commands) {
    const refusal = checkCommand(loading, scope, walk, command);
    if (refusal !== null) complain(loading, command, refusal);
    for (const word of command.words) checkSubstitutions(loading, scope, word.scripts);
  }
}

function checkSubstitutions(loading: Loading, scope: Scope, scripts: readonly Command[][]): void {
  for (const commands of scripts) {
    deeper(loading.reading, commands[0]?.start ?? 0, undefined, () => checkCommands(loading, scope, commands));
  }
}

function checkCommand(loading: Loading, scope: Scope, walk: Walk, command: Command): string | null {
  const head = literalOf(command.words[0]);
  if (head === null) return null;
  const name = commandName(head);
  const refusal = refusalOf(name, head, scope);
  if (refusal !== null) return refusal;
  const arity = tclArity(name);
  const count = command.words.length - 1;
  if (arity === null) collectReferences(loading, command, name);
  else if (count < arity.least || count > arity.most) return 'wrong # args';
  return checkArguments(walk, name, command);
}

const commandName = (head: string): string => (head.startsWith('::') ? head.replace(/^:+/, '') : head);

/** Why a command by this name can't stand here, or null. */
function refusalOf(name: string, head: string, scope: Scope): string | null {
  if (disabledCommands.has(name)) return `command is disabled: "${name}"`;
  if (topLevelCommands.has(name)) return 'command is not valid in the current scope';
  if (tclArity(name) !== null) return null;
  if (!isF5Command(name)) return `undefined procedure: ${head}`;
  if (scope.event === null || isValidIn(name, scope.event)) return null;
  return `command is not valid in current event context (${scope.event})`;
}

function walkOf(loading: Loading, scope: Scope): Walk {
  const { reading } = loading;
  const walk: Walk = {
    text: reading.text,
    script(word) {
      if (word.plain) checkScript(loading, scope, word.innerStart, word.innerEnd);
    },
    expression(word) {
      if (word.plain) checkExpression(loading, scope, word);
      else walk.expressionAtRunTime(word.start, word.end);
    },
    // What substitutions make is translated once they are made, by a procedure of tcl/expr-functions.tcl.
    expressionAtRunTime(start, end) {
      reading.edits.push({ start, end: start, text: '[::edgeward::expression ' });
      reading.edits.push({ start: end, end, text: ']' });
    },
    head(word, shownEnd) {
      const first = literalOf(word)?.trim().split(/\s/)[0] ?? '';
      const refusal = first === '' ? null : refusalOf(commandName(first), first, scope);
      if (refusal !== null) complainOf(loading, word.innerStart, Math.max(shownEnd, word.innerEnd), refusal);
    },
  };
  return walk;
}

function checkExpression(loading: Loading, scope: Scope, word: Word): void {
  const { scripts, problem } = readExpression(loading.reading, word.innerStart, word.innerEnd);
  if (problem !== null) complainOf(loading, word.start, word.end, problem);
  checkSubstitutions(loading, scope, scripts);
}
