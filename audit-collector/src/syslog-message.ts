/**
 * One syslog message (RFC 5424 §6), read as strictly as its grammar and within its bounds, in one pass. Nothing that it
 * says about who sent it is believed by anyone here: that is told by the connection.
 */

export interface SyslogMessage {
  priority: number;
  timestamp: string | null;
  hostname: string | null;
  appName: string | null;
  procId: string | null;
  msgId: string | null;
  /** Structured data: by SD-ID, parameters in their order; a name may repeat. */
  elements: ReadonlyMap<string, readonly SyslogParameter[]>;
  /** After the byte order mark, if one stands there. */
  body: Buffer;
}

export type SyslogParameter = readonly [name: string, value: string];

const timestamp =
  '\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)';
const header = new RegExp(
  `^<(0|[1-9]\\d{0,2})>1 (-|${timestamp}) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `,
);
/** Longer than any header of that grammar. */
const maxHeaderBytes = 640;
const maxPriority = 191;
const maxElements = 32;
const maxParameters = 64;
/** SD-NAME: printable ASCII without `=`, space, `]` and `"`. */
const name = '[!#-<>-\\\\^-~]{1,32}';
const elementStart = new RegExp(`\\[(${name})`, 'y');
const parameterStart = new RegExp(` (${name})="`, 'y');
const byteOrderMark = '\u00ef\u00bb\u00bf';

/** null: this is no message of RFC 5424. */
export function parseSyslog(bytes: Buffer): SyslogMessage | null {
  const found = header.exec(bytes.toString('latin1', 0, maxHeaderBytes));
  if (found === null) return null;
  const [head, priority, ...fields] = found;
  if (Number(priority) > maxPriority) return null;
  // One character a byte, so that places in the text are places in the message.
  const text = bytes.toString('latin1');
  const data = structuredData(text, head.length);
  if (data === null) return null;
  if (data.end < text.length && text[data.end] !== ' ') return null;
  const start = data.end + 1;
  const [time, hostname, appName, procId, msgId] = fields.map((field) => (field === '-' ? null : field));
  return {
    priority: Number(priority),
    timestamp: time ?? null,
    hostname: hostname ?? null,
    appName: appName ?? null,
    procId: procId ?? null,
    msgId: msgId ?? null,
    elements: data.elements,
    body: bytes.subarray(text.startsWith(byteOrderMark, start) ? start + byteOrderMark.length : start),
  };
}

interface StructuredData {
  elements: Map<string, SyslogParameter[]>;
  end: number;
}

function structuredData(text: string, start: number): StructuredData | null {
  const elements = new Map<string, SyslogParameter[]>();
  if (text[start] === '-') return { elements, end: start + 1 };
  let at = start;
  while (text[at] === '[') {
    const id = matchAt(elementStart, text, at);
    // An SD-ID must not be there twice (§6.3.2).
    if (id === null || elements.has(id) || elements.size === maxElements) return null;
    const element = parameters(text, at + 1 + id.length);
    if (element === null) return null;
    elements.set(id, element.parameters);
    at = element.end;
  }
  return at === start ? null : { elements, end: at };
}

function parameters(text: string, start: number): { parameters: SyslogParameter[]; end: number } | null {
  const found: SyslogParameter[] = [];
  let at = start;
  while (text[at] === ' ') {
    const key = matchAt(parameterStart, text, at);
    if (key === null || found.length === maxParameters) return null;
    const value = quoted(text, at + key.length + 3);
    if (value === null) return null;
    found.push([key, value.text]);
    at = value.end;
  }
  return text[at] === ']' ? { parameters: found, end: at + 1 } : null;
}

/** The value from behind its opening quote. A backslash escapes `"`, `\` and `]`; before anything else it is itself. */
function quoted(text: string, start: number): { text: string; end: number } | null {
  for (let i = start; i < text.length; i += 1) {
    const char = text[i];
    if (char === ']') return null;
    if (char === '"') return { text: unescaped(text.slice(start, i)), end: i + 1 };
    if (char === '\\' && /["\\\]]/.test(text[i + 1] ?? '')) i += 1;
  }
  return null;
}

/** What is plain ASCII without a backslash is as it stands. */
const unescaped = (latin1: string): string =>
  /[\\\x80-\xff]/.test(latin1)
    ? Buffer.from(latin1, 'latin1')
        .toString('utf8')
        .replace(/\\(["\\\]])/g, '$1')
    : latin1;

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[1] ?? null;
}
