/**
 * From the text of one YAML document to its tree, with every fault that the text alone shows. Reads YAML 1.2 with the
 * core schema and refuses what hides meaning from whoever reviews it: aliases, tags, directives, unprintable
 * characters. Depth is checked while tokens are read, before anything recurses over them. Duplicate keys are left to
 * `yaml-value.ts`, because the parser's own check takes quadratic time.
 */
import { Composer, CST, type Document, Lexer, LineCounter, type Node, Parser, Schema, type YAMLError } from 'yaml';
import { maxFindingsPerFile, type Problem } from './problem.ts';

/** Collections inside each other; also what recursion over a tree may cost. Documents of policy need five. */
export const maxDepth = 32;

export interface Tree {
  root: Node | null;
  lines: LineCounter;
  problems: Problem[];
}

export type Report = (offset: number, code: string, message: string, mend: string) => void;

const schema = new Schema({ schema: 'core', merge: false, resolveKnownTags: false });
const options = { schema, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' } as const;

// A lone carriage return is a line end to some viewers and none to the parser: a comment could hide a rule.
const unreadable = /\r(?!\n)|[^\t\r\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

const mends: Partial<Record<YAMLError['code'], string>> = {
  BAD_DQ_ESCAPE: 'Write \\\\ for a backslash, or use single quotes, where a backslash stands for itself.',
  BAD_INDENT: 'Indent the entries of one list or mapping equally.',
  BAD_SCALAR_START: 'Put the text in quotes.',
  BLOCK_AS_IMPLICIT_KEY: 'Begin the nested entry on a line of its own, or put a text that contains a colon in quotes.',
  MISSING_CHAR: 'Add what is missing: a comma, a colon with a space after it, a closing bracket or quote.',
  MULTILINE_IMPLICIT_KEY: 'Add a colon and a space after the key, and keep the key on one line.',
  TAB_AS_INDENT: 'Indent with spaces; YAML allows no tabs there.',
};
const plainMend = 'Correct the YAML here.';

function reporter(lines: LineCounter, problems: Problem[]): Report {
  return (offset, code, message, mend) => {
    if (problems.length > maxFindingsPerFile) return;
    const { line, col } = lines.linePos(offset);
    problems.push({ code, lineOffset: line - 1, column: col, message, mend });
  };
}

function lineStarts(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return lines;
}

function reportUnreadable(text: string, report: Report): void {
  for (const match of text.matchAll(unreadable)) {
    const code = match[0].codePointAt(0) ?? 0;
    const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
    const what = match[0] === '\r' ? 'A carriage return that ends no line' : `The unprintable character ${name}`;
    report(match.index, 'EDW_ERR_YAML_SYNTAX', what, 'Remove it; inside double quotes it can be written as an escape.');
  }
}

/** A quote may end the text without closing it: after a backslash in double quotes, as half of a pair in single ones. */
function isClosed(quoted: string): boolean {
  const quote = quoted[0];
  const last = quoted.length - 1;
  if (last === 0 || quoted[last] !== quote) return false;
  const paired = quote === '"' ? '\\' : "'";
  let count = 0;
  while (last - 1 - count > 0 && quoted[last - 1 - count] === paired) count++;
  return count % 2 === 0;
}

interface LexemeFault {
  code: string;
  message: string;
  mend: string;
}

/** What a single token shows. `lexeme` is source text, never the scalar that follows a scalar mark. */
function lexemeFault(lexeme: string): LexemeFault | null {
  switch (lexeme[0]) {
    case '*':
      return {
        code: 'EDW_ERR_YAML_ALIAS',
        message: `The alias ${lexeme} stands for text elsewhere`,
        mend: 'Write it out.',
      };
    case '!':
      return {
        code: 'EDW_ERR_YAML_TAG',
        message: `The tag ${lexeme} changes what its value means`,
        mend: 'Remove the tag; put the value in quotes if text is meant.',
      };
    case '%':
      if (/^%YAML\s+1\.2\s*$/.test(lexeme)) return null;
      return {
        code: 'EDW_ERR_YAML_SYNTAX',
        message: `The directive ${lexeme} is not read here`,
        mend: 'Remove the line.',
      };
    case '"':
    case "'":
      if (isClosed(lexeme)) return null;
      return { code: 'EDW_ERR_YAML_SYNTAX', message: 'This quote is never closed', mend: 'Add the closing quote.' };
    default:
      return null;
  }
}

/** The collection that is one too deep, if there is one now. */
function tooDeep(stack: readonly CST.Token[]): CST.Token | undefined {
  if (stack.length <= maxDepth + 1) return undefined;
  const collection = stack[maxDepth + 1];
  return CST.isCollection(collection) ? collection : undefined;
}

/** What is no YAML at all is not read to its end. */
function giveUp(tokens: readonly CST.Token[], report: Report): null {
  for (const token of tokens) {
    if (token.type === 'error') report(token.offset, 'EDW_ERR_YAML_SYNTAX', token.message, plainMend);
  }
  return null;
}

/** The tokens of a text, or null when it is nested too deeply to go on. */
function tokensOf(text: string, report: Report): CST.Token[] | null {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let scalar = false;
  let errors = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const fault = scalar ? null : lexemeFault(lexeme);
    if (fault !== null) report(parser.offset, fault.code, fault.message, fault.mend);
    scalar = lexeme === CST.SCALAR;
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'error' && ++errors > maxFindingsPerFile) return giveUp(tokens, report);
    }
    const deep = tooDeep(parser.stack);
    if (deep !== undefined) {
      const message = `More than ${maxDepth} lists or mappings stand inside each other`;
      report(deep.offset, 'EDW_ERR_TOO_DEEP', message, 'Write it flatter; no document of policy needs this depth.');
      return null;
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** Of several faults on one line the first is the cause; the others are mostly its echo. */
function reportErrors(errors: readonly YAMLError[], lines: LineCounter, taken: Set<number>, report: Report): void {
  for (const error of [...errors].sort((a, b) => a.pos[0] - b.pos[0])) {
    if (error.code === 'TAG_RESOLVE_FAILED' || error.message.startsWith('Missing closing')) continue;
    const { line } = lines.linePos(error.pos[0]);
    if (taken.has(line)) continue;
    taken.add(line);
    report(error.pos[0], 'EDW_ERR_YAML_SYNTAX', error.message, mends[error.code] ?? plainMend);
  }
}

function isEmpty(tokens: readonly CST.Token[]): boolean {
  return tokens.every((token) => token.type !== 'document' || token.value === undefined);
}

/** The parser makes an Error of each fault; without their stack traces a million of them cost little. */
function compose(tokens: readonly CST.Token[], length: number): Document[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return [...new Composer(options).compose(tokens, true, length)];
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** The tree of one document; `root` is null when there is nothing in it, or nothing that can be walked. */
export function yamlTree(text: string): Tree {
  const lines = lineStarts(text);
  const problems: Problem[] = [];
  const report = reporter(lines, problems);
  reportUnreadable(text, report);
  if (problems.length > 0) return { root: null, lines, problems };

  const tokens = tokensOf(text, report);
  if (tokens === null) return { root: null, lines, problems };
  const empty = isEmpty(tokens);
  const documents = compose(tokens, text.length);
  const taken = new Set(problems.map((problem) => problem.lineOffset + 1));
  for (const document of documents) reportErrors(document.errors, lines, taken, report);
  return { root: empty ? null : (documents[0]?.contents ?? null), lines, problems };
}
