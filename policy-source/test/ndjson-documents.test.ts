/** What is read from NDJSON, and what is refused with which code at which place. */
import t from 'tap';
import { documentsFromLines, maxLineBytes, ndjsonDocuments } from '../src/index.ts';
import { jsonFault } from '../src/json-fault.ts';

function found(text: string): string[] {
  return ndjsonDocuments(text, 'i.ndjson').findings.map(({ code, line, column }) => `${code} ${line}:${column}`);
}

const syntax = 'EDW_ERR_JSON_SYNTAX';
const twice = 'EDW_ERR_DUPLICATE_KEY';
const refused = [
  { name: 'a word', text: 'hello', expect: [`${syntax} 1:1`] },
  { name: 'a line cut off', text: '{"a":1', expect: [`${syntax} 1:7`] },
  { name: 'a text cut off', text: '{"a":"x', expect: [`${syntax} 1:6`] },
  { name: 'a key without quotes', text: '{a:1}', expect: [`${syntax} 1:2`] },
  { name: 'single quotes', text: "{'a':1}", expect: [`${syntax} 1:2`] },
  { name: 'a comma too many', text: '{"a":1,}', expect: [`${syntax} 1:8`] },
  { name: 'a comma too few', text: '{"a":1 "b":2}', expect: [`${syntax} 1:8`] },
  { name: 'a list closed as an object', text: '[1}', expect: [`${syntax} 1:3`] },
  { name: 'two documents on a line', text: '{} {}', expect: [`${syntax} 1:4`] },
  { name: 'a leading zero', text: '{"a":01}', expect: [`${syntax} 1:6`] },
  { name: 'a NUL outside text', text: '{"a":\0}', expect: [`${syntax} 1:6`] },
  { name: 'a tab inside text', text: '{"a":"x\ty"}', expect: [`${syntax} 1:8`] },
  { name: 'an unknown escape', text: '{"a":"\\x41"}', expect: [`${syntax} 1:7`] },
  { name: 'a comment', text: '{"a":1} // x', expect: [`${syntax} 1:9`] },
  {
    name: 'each bad line, and only those',
    text: '{"a":1}\n[\n\n{"b":2}\n]\n',
    expect: [`${syntax} 2:2`, `${syntax} 5:1`],
  },
  { name: 'a repeated key', text: '{"a":1,"b":2,"a":3}', expect: [`${twice} 1:14`] },
  { name: 'a repeated key written as an escape', text: '{"a":1,"\\u0061":2}', expect: [`${twice} 1:8`] },
  { name: 'a repeated key deep inside', text: '{"l":[{"x":{"app":1,"app":2}}]}', expect: [`${twice} 1:21`] },
  { name: 'a repeated __proto__', text: '{"__proto__":1,"__proto__":2}', expect: [`${twice} 1:16`] },
  { name: 'the thirty-third level', text: `${'['.repeat(33)}${']'.repeat(33)}`, expect: ['EDW_ERR_TOO_DEEP 1:33'] },
  {
    name: 'twenty thousand levels',
    text: `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    expect: ['EDW_ERR_TOO_DEEP 1:33'],
  },
  { name: 'a hundred thousand brackets', text: '['.repeat(100_000), expect: ['EDW_ERR_LINE_TOO_LONG 1:1'] },
  { name: 'brackets within the limit of a line', text: '['.repeat(60_000), expect: [`${syntax} 1:60001`] },
  {
    name: 'a huge line between good ones',
    text: `{}\n"${'x'.repeat(maxLineBytes)}"\n{}\n`,
    expect: ['EDW_ERR_LINE_TOO_LONG 2:1'],
  },
];

t.test('a bad line is refused with its column and its mend', async (t) => {
  for (const { name, text, expect } of refused) {
    t.strictSame(found(text), expect, name);
    for (const { mend } of ndjsonDocuments(text, 'i.ndjson').findings) t.match(mend, /.{10}/, name);
  }
});

t.test('good lines are read, whatever stands between them', async (t) => {
  const text = '\ufeff{"a":1}\r\n\n   \n{"b":"x\\"y: {\\\\","c":["\\ud83d\\ude00:"]}\n5\nnull';
  const { documents, findings } = ndjsonDocuments(text, 'i.ndjson');
  t.strictSame(findings, []);
  t.strictSame(
    documents.map((document) => JSON.stringify(document.value)),
    ['{"a":1}', '{"b":"x\\"y: {\\\\","c":["😀:"]}', '5', 'null'],
  );
  t.strictSame(
    documents.map((document) => document.locate([]).line),
    [1, 4, 5, 6],
  );
});

t.test('a path leads to the column of its value or key', async (t) => {
  const line = '{"name":"x","labels":{"app":"crm"},"addresses":["10.0.0.1", "::1"]}';
  const [, document] = ndjsonDocuments(`{}\n${line}`, 'i').documents;
  const columnOf = (text: string) => ({ line: 2, column: line.indexOf(text) + 1 });
  t.strictSame(document?.locate(['labels', 'app']), columnOf('"crm"'));
  t.strictSame(document?.locate(['labels', 'app'], 'key'), columnOf('"app"'));
  t.strictSame(document?.locate(['addresses', 1]), columnOf('"::1"'));
  t.strictSame(document?.locate(['addresses', 9]), columnOf('["10'));
  t.strictSame(document?.locate(['nothing']), columnOf('{"name"'));
});

t.test('names that JavaScript treats specially are keys like any other', async (t) => {
  const [document] = ndjsonDocuments('{"__proto__":{"a":1},"constructor":2,"l":{}}', 'i').documents;
  const value = document?.value as Record<string, unknown>;
  t.strictSame(Object.keys(value), ['__proto__', 'constructor', 'l']);
  t.equal(value.a, undefined);
  t.equal((value.l as Record<string, unknown>).constructor, undefined);
  t.equal(({} as Record<string, unknown>).a, undefined);
});

t.test('lines in memory are read like a file, however long', async (t) => {
  const long = JSON.stringify({ why: 'x'.repeat(2 * maxLineBytes) });
  const { documents, findings } = documentsFromLines(['{"a":1}', '', long, '{'], 'last-known-good');
  t.equal(documents.length, 2);
  t.match(findings, [{ code: syntax, file: 'last-known-good', line: 4, column: 2 }]);
});

t.test('of a hundred thousand bad lines a thousand are shown', async (t) => {
  const { findings } = ndjsonDocuments('{\n'.repeat(100_000), 'i');
  t.equal(findings.length, 1001);
  t.match(findings.at(-1), { code: 'EDW_ERR_TOO_MANY_PROBLEMS', line: 1001, message: /^99000 more/ });
});

t.test('a line without fault has none', async (t) => {
  for (const line of ['{}', '[]', ' [ 1 , -0.5e+3 , "" , {"a":{"a":[]}} ] ', 'true', '""'])
    t.equal(jsonFault(line), null);
});
