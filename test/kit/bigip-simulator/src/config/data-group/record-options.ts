/** The one thing that `?options=` of a data group may say: `records add|modify|delete|replace-all-with { … }`, as tmsh. */
import { BoxError } from '../box-config.ts';
import { type Block, namesIn, parseBlock } from '../tmsh/blocks.ts';
import { startOfWords } from '../tmsh/words.ts';

export interface RecordBatch {
  verb: 'add' | 'modify' | 'delete' | 'replace-all-with';
  records: { name: string; data?: string }[];
}

const VERBS: readonly RecordBatch['verb'][] = ['add', 'modify', 'delete', 'replace-all-with'];

export function parseRecordOptions(text: string): RecordBatch {
  const words = startOfWords(text);
  const subject = words.next();
  if (subject?.text !== 'records' || subject.quoted) throw refused(`unknown property ("${subject?.text ?? ''}")`);
  const said = words.next();
  const verb = VERBS.find((candidate) => candidate === said?.text);
  if (verb === undefined) throw refused(`"${said?.text ?? ''}" unexpected argument`);
  if (verb === 'delete' && words.peek()?.text === 'all' && !words.peek()?.quoted)
    throw refused('"all" is not supported');
  if (words.next()?.sign !== '{') throw refused('missing "{"');
  const block = parseBlock(words, 0);
  const rest = words.next();
  if (rest !== null) throw refused(`"${rest.text}" unexpected argument`);
  return { verb, records: namesIn(block).map(({ name, block: own }) => ({ name, ...dataOf(own) })) };
}

function dataOf(block: Block | null): { data?: string } {
  if (block === null || block.entries.length === 0) return {};
  const [entry, more] = block.entries;
  if (entry === undefined || entry.key !== 'data' || more !== undefined) throw refused('expected { data … }');
  return { data: entry.values.map(({ text }) => text).join(' ') };
}

const refused = (reason: string): BoxError => new BoxError(400, `Syntax Error: ${reason}`);
