/** What holds for every document: written out and read back it is equal, and paths lead to where values begin. */
import { isUtf8 } from 'node:buffer';
import type { Path, SourceDocument } from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { parseAllDocuments, stringify } from 'yaml';
import { ndjsonDocuments, yamlDocuments } from '../src/index.ts';
import { jsonFault } from '../src/json-fault.ts';
import { unitsBeforeFault } from '../src/text-encoding.ts';

const printable = fc.string({ unit: 'grapheme' }).filter((text) => !/[^\t\n\x20-\x7e\xa0-\u{10ffff}]/u.test(text));
const key = fc.oneof(printable, fc.constantFrom('__proto__', 'constructor', 'kind', '<<', 'on', '1', 'null', '~'));
const plain = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      printable,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom('yes', '0x1', '- a', '# b', "'"),
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((pairs) => {
      const object: Record<string, unknown> = Object.create(null);
      for (const [name, value] of pairs) object[name] = value;
      return object;
    }),
  ),
})).value;

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  if (Array.isArray(value)) return [path, ...value.flatMap((item, i) => pathsOf(item, [...path, i]))];
  return [path, ...Object.entries(value).flatMap(([name, item]) => pathsOf(item, [...path, name]))];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<string | number, unknown>)[step], value);
}

function textAt(text: string, document: SourceDocument, path: Path): string {
  const { line, column } = document.locate(path);
  return (text.split('\n')[line - 1] ?? '').slice(column - 1);
}

t.test('documents written as YAML are read back equal', async (t) => {
  const property = fc.property(fc.array(plain, { minLength: 1, maxLength: 3 }), (expected) => {
    const text = expected.map((value) => `---\n${stringify(value, { aliasDuplicateObjects: false })}`).join('');
    const { documents, findings } = yamlDocuments(text, 'p.yaml');
    return findings.length === 0 && JSON.stringify(documents.map((d) => d.value)) === JSON.stringify(expected);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

t.test('documents written as JSON are read back equal, as NDJSON and as YAML', async (t) => {
  const property = fc.property(fc.array(plain, { minLength: 1, maxLength: 3 }), (expected) => {
    const lines = expected.map((value) => JSON.stringify(value));
    const read = [ndjsonDocuments(lines.join('\n'), 'i'), yamlDocuments(`---\n${lines.join('\n---\n')}\n`, 'p')];
    return read.every(
      ({ documents, findings }) =>
        findings.length === 0 && JSON.stringify(documents.map((d) => d.value)) === JSON.stringify(expected),
    );
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

t.test('every path leads to the text that begins its value', async (t) => {
  const property = fc.property(plain, plain, (before, value) => {
    const text = `${JSON.stringify(before)}\n${JSON.stringify(value)}`;
    const document = ndjsonDocuments(text, 'i').documents[1];
    if (document === undefined) return false;
    return pathsOf(value).every((path) => textAt(text, document, path).startsWith(JSON.stringify(at(value, path))));
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

t.test('cut at its markers, a YAML stream means what it means as a whole', async (t) => {
  const line = fc.constantFrom(
    '---',
    '--- # c',
    '---x',
    '...',
    'a: 1',
    '- b',
    '  c: |',
    '   ---',
    '# d',
    '',
    '"e',
    'f"',
    '--- {g: 1}',
    ' .',
    "'h",
  );
  const property = fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
    const text = lines.join('\n');
    const whole = parseAllDocuments(text, { logLevel: 'silent' });
    if ('empty' in whole || whole.some((document) => document.errors.length > 0)) return true;
    const expected = whole.filter((document) => document.contents?.range?.[0] !== document.contents?.range?.[1]);
    const { documents, findings } = yamlDocuments(text, 'p');
    const values = JSON.stringify(documents.map((document) => document.value));
    return findings.length === 0 && values === JSON.stringify(expected.map((document) => document.toJS()));
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 5_000 }));
});

t.test('a line has a fault exactly when JSON.parse refuses it', async (t) => {
  const damaged = fc
    .tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', '"', '\\', ',', ':', '{', '}', '[', ']', '0', '-', 'e', '.', 'n', '\t', '\0'),
    )
    .map(([json, position, char]) => {
      const cut = position % (json.length + 1);
      return json.slice(0, cut) + char + json.slice(cut + 1);
    });
  const property = fc.property(damaged, (line) => {
    const fault = jsonFault(line);
    try {
      JSON.parse(line);
      return fault === null || fault.code === 'EDW_ERR_DUPLICATE_KEY';
    } catch {
      return fault?.code === 'EDW_ERR_JSON_SYNTAX' && fault.offset <= line.length;
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 5_000 }));
});

t.test('no text makes a reader throw', async (t) => {
  const token = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '? ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '\n',
    '  ',
    '\t',
    '&x ',
    '*x',
    '!t ',
    '"',
    "'",
    '|\n',
    '>-\n',
    '#',
    '---\n',
    '...\n',
    '%',
    '\r',
    '\ufeff',
    '\0',
    '@',
  );
  const text = fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(''));
  const property = fc.property(text, (input) => {
    for (const { documents, findings } of [yamlDocuments(input, 'p'), ndjsonDocuments(input, 'i')]) {
      for (const { line, column } of findings) if (line < 1 || column < 1) return false;
      for (const document of documents) document.locate(['a', 0, 'b'], 'key');
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 5_000 }));
});

t.test('the first byte that is no UTF-8 is found wherever it stands', async (t) => {
  const fault = fc.constantFrom(
    [0xff],
    [0xc3],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x98],
    [0xed, 0xa0, 0x80],
    [0xc0, 0xaf],
    [0xef, 0xbf],
  );
  const property = fc.property(fc.string({ unit: 'grapheme' }), fault, (text, bytes) => {
    const line = Buffer.concat([Buffer.from(`${text}\ufffd`), Buffer.from(bytes), Buffer.from('x')]);
    return !isUtf8(line) && unitsBeforeFault(line) === `${text}\ufffd`.length;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 1_000 }));
});
