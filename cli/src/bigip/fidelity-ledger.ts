/** What the simulator is faithful to: every behaviour with its evidence, what is only presumed first. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Paint } from '../frame/terminal-text.ts';
import { counted, printable } from '../frame/terminal-text.ts';

export interface FidelityLine {
  /** `config`, `irule`, `rest`, `tmm` */
  area: string;
  behaviour: string;
  evidence: string;
  source: string;
  /** `file › claim` */
  test: string;
}

/** The weakest first: that is what a reader has to know. */
const strengths = ['presumed', 'issue report', 'tool code', 'vendor document', 'recorded'];

export async function readFidelity(): Promise<FidelityLine[]> {
  // Beside the sources and beside what is built, `fidelity` is the same folder.
  const folder = fileURLToPath(new URL('../fidelity/', import.meta.resolve('@edgeward/bigip-simulator')));
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const ledgers = await Promise.all(
    files.map(async (file) => {
      const lines = JSON.parse(await readFile(`${folder}${file}`, 'utf8')) as Omit<FidelityLine, 'area'>[];
      return lines.map((line) => ({ area: file.replace('.json', ''), ...line }));
    }),
  );
  return ledgers.flat().sort((a, b) => strengths.indexOf(a.evidence) - strengths.indexOf(b.evidence));
}

export function fidelityText(ledger: readonly FidelityLine[], paint: Paint): string {
  const width = Math.max(...strengths.map((word) => word.length));
  const rows = ledger.map(({ area, behaviour, evidence, source }) => {
    const word = evidence.padEnd(width);
    const head = `${evidence === 'presumed' ? paint.warn(word) : word}  ${area.padEnd(6)}  ${printable(behaviour)}`;
    return `${head}\n${' '.repeat(width + 10)}${paint.dim(printable(source))}\n`;
  });
  const counts = strengths.map((word) => `${ledger.filter(({ evidence }) => evidence === word).length} ${word}`);
  return `${rows.join('')}${counted(ledger.length, 'behaviour')}: ${counts.join(', ')}\n`;
}
