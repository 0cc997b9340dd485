/**
 * The records of a data group, in turn: those of an internal group as the configuration holds them, those of an external
 * one out of its file, which was checked when it was taken over. Nothing here holds more than one record.
 */

export type GroupRecord = readonly [key: string, value: string];

export function* internalRecords(records: unknown): Iterable<GroupRecord> {
  if (!Array.isArray(records)) return;
  for (const record of records as { name?: unknown; data?: unknown }[])
    yield [String(record.name ?? ''), typeof record.data === 'string' ? record.data : ''];
}

/** `host A := "v",`, `network A prefixlen N := "v",`, `"key" := "v",`, `1 := v,`; a line without a value counts too. */
export function* fileRecords(content: string, type: string, separator: string): Iterable<GroupRecord> {
  for (let from = 0; from < content.length; ) {
    const newline = content.indexOf('\n', from);
    const end = newline === -1 ? content.length : newline;
    const line = content.slice(from, end).trim();
    from = end + 1;
    if (line === '' || line.startsWith('#')) continue;
    const [key, value] = splitLine(line.endsWith(',') ? line.slice(0, -1) : line, separator);
    yield [type === 'ip' ? networkOf(key) : unquoted(key), unquoted(value)];
  }
}

function splitLine(line: string, separator: string): [string, string] {
  const from = line.startsWith('"') ? closingQuote(line) : 0;
  const at = line.indexOf(separator, from);
  return at === -1 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + separator.length).trim()];
}

function closingQuote(line: string): number {
  for (let at = 1; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"') return at;
  }
  return line.length;
}

function unquoted(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"') || text.length < 2) return text;
  const inner = text.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\(.)/gs, '$1') : inner;
}

function networkOf(key: string): string {
  const [kind, address = '', prefixlen, length] = key.split(/\s+/);
  return kind === 'network' && prefixlen === 'prefixlen' ? `${address}/${length}` : address;
}
