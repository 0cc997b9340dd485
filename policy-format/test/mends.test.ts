import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { MENDS } from '../src/mends.ts';

const folder = new URL('../src/', import.meta.url);
const codes = new Set<string>();
for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
  if (name.endsWith('.ts'))
    for (const [, code = ''] of readFileSync(new URL(name, folder), 'utf8').matchAll(/'(EDW_ERR_[A-Z0-9_]+)'/g))
      codes.add(code);

t.test('every refusal says what to do, and nothing else is said', async (t) => {
  t.ok(codes.size > 40, 'the sources were read');
  t.strictSame([...codes].filter((code) => MENDS[code] === undefined).sort(), [], 'without a mend');
  t.strictSame(
    Object.keys(MENDS)
      .filter((code) => !codes.has(code))
      .sort(),
    [],
    'of no refusal',
  );
});
