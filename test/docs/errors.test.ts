/** docs/errors.md against the code, in both directions. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { POLICY_ERRORS, POLICY_WARNINGS } from '@edgeward/policy';
import { createDirectoryReader, ndjsonDocuments, yamlDocuments } from '@edgeward/policy-source';
import t from 'tap';
import { page, tableRows } from './markdown.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const rows = tableRows(page('docs/errors.md'), ['Code', 'Meaning', 'Mend']);
const mendOf = new Map(rows.map(([code = '', , mend = '']) => [code, mend]));

/** Codes are quoted where they are used; the keys of the two tables of policy/ are not. */
function codesInSources(): Set<string> {
  const codes = new Set([...Object.keys(POLICY_ERRORS), ...Object.keys(POLICY_WARNINGS)]);
  for (const file of sources()) {
    const quoted = readFileSync(file, 'utf8').matchAll(/(['"`])(EDW_(?:ERR|WARN)_[A-Z0-9_]+)\1/g);
    for (const match of quoted) codes.add(match[2] ?? '');
  }
  return codes;
}

function sources(): string[] {
  const packages = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const folders = packages.flatMap(({ name }) =>
    ['src', 'driver', 'export', 'protocol', 'bin'].map((folder) => join(root, name, folder)),
  );
  folders.push(join(root, 'test/kit/bigip-simulator/src'));
  return folders.flatMap((folder) => filesIn(folder)).filter((file) => /\.(ts|js)$/.test(file));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  } catch {
    return []; // A package without this folder.
  }
}

t.test('every code of the sources is documented, and no other is', async (t) => {
  const codes = codesInSources();
  t.ok(codes.size > 100, 'the sources were read');
  t.strictSame([...codes].filter((code) => !mendOf.has(code)).sort(), [], 'missing in docs/errors.md');
  t.strictSame([...mendOf.keys()].filter((code) => !codes.has(code)).sort(), [], 'in docs/errors.md, but in no source');
});

t.test('every code stands once, with a meaning and a mend', async (t) => {
  t.strictSame(rows.map(([code]) => code).sort(), [...mendOf.keys()].sort(), 'once');
  t.strictSame(
    rows.filter((row) => row.length !== 3 || row.some((cell) => cell === '')),
    [],
  );
});

t.test('what the compiler tells people to do is what the page says', async (t) => {
  for (const [code, mend] of Object.entries({ ...POLICY_ERRORS, ...POLICY_WARNINGS })) t.equal(mendOf.get(code), mend);
});

const yaml: Record<string, string> = {
  'a tab': 'a:\n\tb: 1\n',
  'an open quote': 'a: "b\n',
  'a plain fault': 'a: b: c\n',
  'an alias': 'a: &x 1\nb: *x\n',
  'a tag': 'a: !!int 1\n',
  'a key that is no text': '1: a\n',
  'a repeated key': 'a: 1\na: 2\n',
  depth: '['.repeat(40),
  size: `a: ${'b'.repeat(2 * 1024 * 1024)}\n`,
  'many problems': `${'a: &x 1\n'.repeat(1)}${'- *x\n'.repeat(1100)}`,
};
const ndjson: Record<string, string> = {
  'no JSON': '{"a":\n',
  'a repeated key': '{"a":1,"a":2}\n',
  'a long line': `{"a":"${'b'.repeat(70_000)}"}\n`,
  depth: `${'['.repeat(40)}${']'.repeat(40)}\n`,
};

t.test('what a file that cannot be read tells people to do stands on the page', async (t) => {
  const seen = new Set<string>();
  const look = (name: string, findings: { code: string; mend: string }[]): void => {
    t.ok(findings.length > 0, `${name} is refused`);
    for (const { code, mend } of findings) {
      t.ok(mendOf.get(code)?.includes(mend), `${name}: ${code} ${mend}`);
      seen.add(code);
    }
  };
  for (const [name, text] of Object.entries(yaml)) look(name, yamlDocuments(text, 'a.yaml').findings.slice(-1));
  for (const [name, text] of Object.entries(ndjson)) look(name, ndjsonDocuments(text, 'a.ndjson').findings);
  const folder = t.testdir({
    'a.yml': '',
    'b.yaml': Buffer.from([0x61, 0xff]),
    'c.yaml': t.fixture('symlink', 'gone'),
  });
  look('a directory', (await createDirectoryReader(folder).read()).findings);
  t.comment([...seen].sort().join(' '));
  t.ok(seen.size >= 12, 'most codes were met');
});
