/**
 * TMM's front end: checks a rule as BIG-IP does when it is saved, and turns its bodies into plain Tcl 8.6. It never
 * throws and is bounded whatever the text holds. A refused rule yields its message and no Tcl. What only exists as a
 * rule runs (a script in a variable) stays as it is, except for expressions: see tcl/expr-functions.tcl.
 */
import type { LoadRule, RuleLoading } from './loaded-rule.ts';
import type { Loading } from './loading.ts';
import { isMissing } from './name-references.ts';
import { readSections } from './rule-sections.ts';
import { ruleSource } from './rule-source.ts';

/** F5 K9204. */
const MAX_RULE_BYTES = 65_520;
/** What a message may hold; further problems are left out. */
const MAX_MESSAGE_CHARACTERS = 65_536;

export const loadRule: LoadRule = (fullPath, text, names) => {
  const unreadable = refusalOfText(fullPath, text);
  if (unreadable !== null) return { state: 'refused', message: unreadable };
  // Recorded: LF and CRLF make the same rule.
  const source = ruleSource(text.replaceAll('\r\n', '\n'));
  const reading = { text: source.text, edits: [], failure: null, depth: 0 };
  const loading: Loading = { fullPath, source, reading, names, problems: [], references: [] };
  const rule = readSections(loading);
  const message = refusalOf(loading);
  return message === null ? { state: 'loaded', rule } : { state: 'refused', message };
};

function refusalOfText(fullPath: string, text: string): string | null {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_RULE_BYTES) {
    return `01070712:3: Max string size exceeded during update of attribute:definition type:rule max:${MAX_RULE_BYTES} received:${bytes}`;
  }
  const nul = text.indexOf('\0');
  if (nul !== -1) return `can't parse TCL script beginning with\n${text.slice(0, nul)}`;
  // Recorded: é, ☃ and joiners are refused in these words, characters beyond U+FFFF are not.
  if (/[\u0080-\ud7ff\ue000-\uffff]/.test(text)) {
    return inRule(fullPath, [`${fullPath}:1: error: [braces are required around the expression][${text}]`]);
  }
  return null;
}

function refusalOf(loading: Loading): string | null {
  const { fullPath, source, problems, reading, references } = loading;
  const all = [...problems];
  if (reading.failure !== null) {
    const { offset, reason } = reading.failure;
    all.push({ offset, reason: `parse error: ${reason}`, shown: restOfLine(source.text, offset) });
  }
  all.sort((a, b) => a.offset - b.offset);
  if (all.length > 0) {
    return inRule(
      fullPath,
      all.map(({ offset, reason, shown }) => `${fullPath}:${source.lineOf(offset)}: error: [${reason}][${shown}]`),
    );
  }
  const missing = references.find((reference) => isMissing(loading, reference));
  if (missing === undefined) return null;
  const kind = missing.kind === 'virtual' ? 'virtual_server' : missing.kind;
  const line = source.lineOf(missing.offset);
  return inRule(fullPath, [`Unable to find ${kind} (${missing.name}) referenced at line ${line}: [${missing.shown}]`]);
}

/** Recorded: `[parse error: missing close-bracket][[list FAILED]` shows the text from the bracket to the line's end. */
function restOfLine(text: string, offset: number): string {
  const newline = text.indexOf('\n', offset);
  return text.slice(offset, newline === -1 ? text.length : newline);
}

/** Recorded: the first line names the rule, and each further problem is a line of its own. */
function inRule(fullPath: string, lines: readonly string[]): RuleMessage {
  let message = `01070151:3: Rule [${fullPath}] error: `;
  for (const [index, line] of lines.entries()) {
    if (index > 0 && message.length + line.length > MAX_MESSAGE_CHARACTERS) break;
    message += index === 0 ? line : `\n${line}`;
  }
  return message;
}

type RuleMessage = Extract<RuleLoading, { state: 'refused' }>['message'];
