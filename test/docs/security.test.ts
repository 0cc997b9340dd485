/** docs/security.md names a test for every row, and each of these is there; alarms name what the code says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { page, tableRows } from './markdown.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = page('docs/security.md');
const TABLES = {
  stolen: ['stolen', 'opens', 'can also', "can't", 'shown by'],
  threats: ['threat', 'what stands against it', 'shown by'],
  limits: ['not defended', 'so', 'shown by'],
};

/** `path` › claim; several are divided by a semicolon before the next path. */
function proofsIn(cell: string): [path: string, claim: string][] {
  return cell.split(/; (?=`)/).map((proof) => {
    const [, path = '', claim = ''] = /^`([^`]+)` › (.+)$/.exec(proof) ?? [];
    return [path, claim];
  });
}

/** In a test or a vector, as it is written there: one line of text, quoted. */
function holds(path: string, claim: string): boolean {
  if (!existsSync(join(root, path))) return false;
  const source = readFileSync(join(root, path), 'utf8');
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${claim}${quote}`));
}

t.test('every row of every table names tests that exist', async (t) => {
  for (const [table, heading] of Object.entries(TABLES)) {
    const rows = tableRows(text, heading);
    t.ok(rows.length > 10, `${table}: ${rows.length} rows`);
    for (const row of rows) {
      t.equal(row.length, heading.length, `${table}: ${row[0]}`);
      for (const [path, claim] of proofsIn(row.at(-1) ?? '')) t.ok(holds(path, claim), `${row[0]}: ${path} › ${claim}`);
    }
  }
});

t.test('every threat of the model has its row, in order', async (t) => {
  const numbers = tableRows(text, TABLES.threats).map(([threat = '']) => threat.split(' ')[0]);
  t.strictSame(
    numbers,
    Array.from({ length: 17 }, (_, i) => `T${i + 1}`),
  );
});

t.test('every test of the red team stands on the page', async (t) => {
  for (const file of readdirSync(join(root, 'test/redteam')).filter((name) => name.endsWith('.test.ts')))
    t.ok(text.includes(`test/redteam/${file}`), file);
});

t.test('what is to be alarmed on is what the code says', async (t) => {
  const sources = ['policy-feed/src', 'policy-format/src', 'central-store/src', 'sync-service/src', 'host-agent/src']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((it) => join(folder, it)),
    )
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join(root, path), 'utf8'))
    .join('\n');
  const signals = tableRows(text, ['signal', 'where', 'what it may be']).flatMap((row) =>
    row.flatMap((cell) =>
      [...cell.matchAll(/`?((?:edgeward_|EDW_ERR_)\w+|[a-z]+_[a-z_]+)`?/g)].map((it) => it[1] ?? ''),
    ),
  );
  t.ok(signals.length > 15);
  for (const signal of signals) t.ok(sources.includes(signal), signal);
});
