/**
 * A result as text for a terminal and as a part of docs/benchmarks.md. A part stands between markers that carry its name;
 * what people wrote around them is kept. Nothing here measures.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Benchmark, Result, Table } from './benchmark.ts';
import type { Circumstances } from './machine.ts';

const document = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

export function resultText(result: Result): string {
  if (result.state === 'skipped') return `not run: ${result.reason}\n`;
  const notes = result.notes.map((note) => `- ${note}\n`).join('');
  return `${result.tables.map(textTable).join('\n')}${notes === '' ? '' : `\n${notes}`}`;
}

/** A benchmark that could not run leaves what was measured earlier. */
export async function writeResult(benchmark: Benchmark, result: Result, on: Circumstances): Promise<void> {
  if (result.state === 'skipped') return;
  const notes = result.notes.map((note) => `- ${note}\n`).join('');
  const body = `${result.tables.map(markdownTable).join('\n')}${notes === '' ? '' : `\n${notes}`}`;
  await writePart(benchmark.name, `${body}\n${origin(on)}`);
}

export function soakMarkdown(table: Table, on: Circumstances): string {
  return `${markdownTable(table)}\n${origin(on)}`;
}

function origin({ command, commit, date, machine }: Circumstances): string {
  return `\`${command}\` at commit ${commit}, ${date} UTC. ${machine}.\n`;
}

export async function writePart(name: string, body: string): Promise<void> {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const text = await readFile(document, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no markers ${begin} … ${end}`);
  await writeFile(document, `${text.slice(0, from + begin.length)}\n\n${body}\n${text.slice(to)}`);
}

function textTable({ head, rows }: Table): string {
  const widths = head.map((cell, at) => Math.max(cell.length, ...rows.map((row) => (row[at] ?? '').length)));
  const line = (cells: string[]): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ');
  return `${[head, widths.map((width) => '-'.repeat(width)), ...rows].map((cells) => line(cells).trimEnd()).join('\n')}\n`;
}

function markdownTable({ head, rows }: Table): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |\n`;
  const rule = head.map((_, at) => (at === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map(line).join('');
}
