/** Every command line on a page is one that `edgeward` takes. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { commands } from '../../cli/src/commands.ts';
import { readCommandLine } from '../../cli/src/frame/command-line.ts';
import { blocksOf, page } from './markdown.ts';

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const pages = [
  ...readdirSync(docs, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'README.md',
];
const names = new Set(commands.map(({ name }) => name));

/** Words of a line without its comment; a pipe ends the command. Neither does in quotes. */
function wordsOf(line: string): string[] {
  const words = [...line.trim().matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word);
  const end = words.findIndex((word) => /^[#|>&]/.test(word));
  return words.slice(0, end < 0 ? words.length : end).map((word) => word.replaceAll(/^["']|["']$/g, ''));
}

for (const path of pages) {
  t.test(`${path}: its commands exist, with their options`, async (t) => {
    const text = page(path);
    const shells = blocksOf(text).filter(({ info }) => info === 'sh');
    const lines = shells.flatMap((block) => block.text.split('\n').map((line) => line.trim().replace(/^npx /, '')));
    for (const line of lines.filter((one) => one.startsWith('edgeward '))) {
      t.doesNotThrow(() => readCommandLine(wordsOf(line).slice(1), commands), line);
    }
    for (const [, line = ''] of text.matchAll(/`(?:npx )?edgeward ([a-z][^`]*)`/g)) {
      const words = wordsOf(line);
      t.ok(names.has(words[0] ?? ''), `edgeward ${line}`);
    }
  });
}
