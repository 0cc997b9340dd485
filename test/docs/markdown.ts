/** What the tests read out of a page: fenced blocks and tables. Enough of Markdown for our own pages, and no more. */
import { readFileSync } from 'node:fs';

export interface Block {
  /** What stands after the three backticks, `yaml` or `yaml error=EDW_ERR_…`. */
  info: string;
  text: string;
  /** Of its first line, from 1. */
  line: number;
}

const root = new URL('../../', import.meta.url);

export function page(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

/** Those in a list without its indent. */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^( *)```([^\n]+)\n(.*?)^\1```$/gms)].map((match) => ({
    info: (match[2] ?? '').trim(),
    text: (match[3] ?? '').replaceAll(new RegExp(`^${match[1] ?? ''}`, 'gm'), ''),
    line: text.slice(0, match.index).split('\n').length + 1,
  }));
}

/** Rows of every table whose heading is exactly this; cells without the backticks around a whole cell. */
export function tableRows(text: string, heading: readonly string[]): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) inside = false;
    else if (cellsOf(line).join('|') === heading.join('|')) inside = true;
    else if (inside && !/^\|[-|: ]+\|$/.test(line)) rows.push(cellsOf(line).map(withoutTicks));
  }
  return rows;
}

/** A bar that is part of a cell is written `\|`. */
function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function withoutTicks(cell: string): string {
  return /^`[^`]+`$/.test(cell) ? cell.slice(1, -1) : cell;
}
