/**
 * What `nginx -T` prints, cut into its files: each once, in the order in which NGINX opened them, the main one first.
 */
export interface DumpedFile {
  name: string;
  text: string;
  /** What stood there under this name again: a comment that only looks like the line between two files. */
  isRepeated: boolean;
}

const MARK = /^# configuration file ([^\n]+):$/gm;

/** Empty where the text is no such dump. What stands before the first file are messages of NGINX. */
export function dumpedFiles(dump: string): DumpedFile[] {
  const text = dump.includes('\r\n') ? dump.replaceAll('\r\n', '\n') : dump;
  const marks = [...text.matchAll(MARK)];
  const seen = new Set<string>();
  return marks.map((mark, index) => {
    const name = mark[1] ?? '';
    const isRepeated = seen.has(name);
    seen.add(name);
    // NGINX puts a line end behind the mark and one behind the text.
    const begin = mark.index + mark[0].length + 1;
    const end = marks[index + 1]?.index ?? text.length;
    return { name, text: text.slice(begin, end), isRepeated };
  });
}
