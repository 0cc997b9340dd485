/** What a page names is there: linked files, headings that a link leads to, paths of tests; and the table of imports. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { page, tableRows } from './markdown.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].concat(
  readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
);

/** In the folder of a store or of a service, not in this repository. */
const PUBLISHED = /^(roots|heads|hosts)\//;

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? '');
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

t.test('every link leads to something', async (t) => {
  for (const path of pages) {
    for (const [, target = ''] of page(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const name = file === '' ? path : normalize(join(dirname(path), file));
      t.ok(existsSync(join(root, name)), `${path}: ${target}`);
      if (anchor !== undefined) t.ok(anchorsOf(page(name)).includes(anchor), `${path}: ${target}`);
    }
  }
});

t.test('every page is on the list of pages, and every folder of the house says what lives in it', async (t) => {
  const list = page('docs/README.md');
  for (const name of readdirSync(join(root, 'docs'))) {
    if (name !== 'README.md' && !name.endsWith('.svg')) t.match(list, `](${name})`, name);
  }
  const { workspaces } = JSON.parse(page('package.json')) as { workspaces: string[] };
  for (const folder of workspaces) t.ok(existsSync(join(root, folder, 'README.md')), folder);
});

t.test('every test and source that a page names is there', async (t) => {
  for (const path of pages) {
    for (const [, name = ''] of page(path).matchAll(/`([a-z-]+\/[\w./-]+\.(?:ts|js|conf|json))`/g)) {
      if (!PUBLISHED.test(name)) t.ok(existsSync(join(root, name)), `${path}: ${name}`);
    }
  }
});

t.test('the table of imports is the one that the build holds', async (t) => {
  const rule = /'?([\w/-]+)'?: \{\s+packages: \[([^\]]*)\],\s+node: (true|false),?\s+\}/g;
  const held = [...page('scripts/check-imports.ts').matchAll(rule)].map(([, folder = '', list = '', node]) => {
    const packages = [...list.matchAll(/'([\w-]+)'/g)].map((match) => match[1]);
    return [folder, packages.length === 0 ? '–' : packages.join(', '), node === 'true' ? 'yes' : 'no'];
  });
  const rows = tableRows(page('ARCHITECTURE.md'), ['folder', 'may import', "Node's modules"]);
  t.ok(held.length > 8, 'the rules were read');
  t.strictSame(rows.toSorted(), held.toSorted());
});
