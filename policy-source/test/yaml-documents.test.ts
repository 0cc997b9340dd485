/** What is read from YAML, and what is refused with which code at which place. */
import t from 'tap';
import { yamlDocuments } from '../src/index.ts';

/** `code line:column` of every finding. */
function found(text: string): string[] {
  return yamlDocuments(text, 'p.yaml').findings.map(({ code, line, column }) => `${code} ${line}:${column}`);
}

function values(text: string): unknown[] {
  return JSON.parse(JSON.stringify(yamlDocuments(text, 'p.yaml').documents.map((document) => document.value)));
}

const syntax = 'EDW_ERR_YAML_SYNTAX';
const refused = [
  { name: 'an unclosed double quote points at the quote', text: 'name: "crm\nlabels: {}\n', expect: [`${syntax} 1:7`] },
  { name: 'an unclosed single quote too', text: "a: 1\nname: 'crm\n", expect: [`${syntax} 2:7`] },
  { name: 'a quote that only an escape follows is unclosed', text: 'a: "x\\"\n', expect: [`${syntax} 1:4`] },
  { name: 'a quote that only half a pair follows is unclosed', text: "a: 'x''", expect: [`${syntax} 1:4`] },
  { name: 'a tab as indentation', text: 'labels:\n\tapp: crm\n', expect: [`${syntax} 2:1`] },
  { name: 'a mapping that is not closed', text: 'labels: { app: crm\nname: x\n', expect: [`${syntax} 2:1`] },
  { name: 'a nested colon without quotes', text: 'why: note: this\n', expect: [`${syntax} 1:6`] },
  { name: 'a key without its colon', text: 'kind: Policy\nname\nrules: []\n', expect: [`${syntax} 2:1`] },
  { name: 'a bad escape', text: 'a: "\\q"\n', expect: [`${syntax} 1:5`] },
  { name: 'a NUL', text: 'name: a\0b\n', expect: [`${syntax} 1:8`] },
  { name: 'a carriage return that hides a line from the parser', text: 'a: 1 # x\rb: 2\n', expect: [`${syntax} 1:9`] },
  {
    name: 'the marks that the parser uses inside',
    text: 'a: \x1fb\nc: \x02\x18\n',
    expect: [`${syntax} 1:4`, `${syntax} 2:4`, `${syntax} 2:5`],
  },
  { name: 'an older YAML', text: '%YAML 1.1\n---\na: yes\n', expect: [`${syntax} 1:1`] },
  { name: 'a tag directive', text: '%TAG ! tag:x,2020:\n---\na: 1\n', expect: [`${syntax} 1:1`] },
  { name: 'a directive without a document', text: '%YAML 1.1\n', expect: [`${syntax} 1:1`, `${syntax} 2:1`] },
  {
    name: 'every fault of a document at once',
    text: 'a: "\\q"\nb: *x\nc: !t 1\nd: 1\nd: 2\n',
    expect: [`${syntax} 1:5`, 'EDW_ERR_YAML_ALIAS 2:4', 'EDW_ERR_YAML_TAG 3:4', 'EDW_ERR_DUPLICATE_KEY 5:1'],
  },
  { name: 'an alias', text: 'a: &x [1]\nb: *x\n', expect: ['EDW_ERR_YAML_ALIAS 2:4'] },
  { name: 'an alias of nothing', text: 'b: [*x, *y]\n', expect: ['EDW_ERR_YAML_ALIAS 1:5', 'EDW_ERR_YAML_ALIAS 1:9'] },
  { name: 'a merge', text: 'b: &b {x: 1}\nc:\n  <<: *b\n', expect: ['EDW_ERR_YAML_ALIAS 3:7'] },
  { name: 'a binary tag', text: 'a: !!binary aGk=\n', expect: ['EDW_ERR_YAML_TAG 1:4'] },
  { name: 'a tag of the core schema', text: 'a: !!str 1\n', expect: ['EDW_ERR_YAML_TAG 1:4'] },
  { name: 'a tag of one’s own on a list', text: 'a: !foo\n  - 1\n', expect: ['EDW_ERR_YAML_TAG 1:4'] },
  { name: 'a tag on a document', text: '--- !foo\na: 1\n', expect: ['EDW_ERR_YAML_TAG 1:5'] },
  { name: 'a repeated key', text: 'a: 1\nb: 2\na: 3\n', expect: ['EDW_ERR_DUPLICATE_KEY 3:1'] },
  {
    name: 'a repeated key in braces, quoted the second time',
    text: 'l: { app: x, "app": y }\n',
    expect: ['EDW_ERR_DUPLICATE_KEY 1:14'],
  },
  { name: 'a repeated __proto__', text: '__proto__: 1\n__proto__: 2\n', expect: ['EDW_ERR_DUPLICATE_KEY 2:1'] },
  {
    name: 'keys that are no text',
    text: '1: a\ntrue: b\n~: c\n? [x]\n: d\n',
    expect: ['EDW_ERR_YAML_KEY 1:1', 'EDW_ERR_YAML_KEY 2:1', 'EDW_ERR_YAML_KEY 3:1', 'EDW_ERR_YAML_KEY 4:3'],
  },
  { name: 'the thirty-third level', text: `${'['.repeat(33)}${']'.repeat(33)}`, expect: ['EDW_ERR_TOO_DEEP 1:33'] },
  { name: 'a hundred thousand brackets', text: '['.repeat(100_000), expect: ['EDW_ERR_TOO_DEEP 1:33'] },
  { name: 'a hundred thousand braces', text: '{a: '.repeat(100_000), expect: ['EDW_ERR_TOO_DEEP 1:129'] },
  { name: 'a hundred thousand dashes', text: '- '.repeat(100_000), expect: ['EDW_ERR_TOO_DEEP 1:65'] },
  { name: 'a hundred thousand question marks', text: '? '.repeat(100_000), expect: ['EDW_ERR_TOO_DEEP 1:65'] },
  {
    name: 'a document of more than 2 MiB',
    text: `---\na: 1\n---\na: ${'x'.repeat(2 * 1024 * 1024)}\n`,
    expect: ['EDW_ERR_DOCUMENT_TOO_LARGE 3:1'],
  },
  { name: 'a file of more than 16 MiB', text: '# comment\n'.repeat(1_700_000), expect: ['EDW_ERR_FILE_TOO_LARGE 1:1'] },
];

t.test('what cannot be read, or hides what it means, is refused with its place', async (t) => {
  for (const { name, text, expect } of refused) t.strictSame(found(text), expect, name);
});

t.test('every finding names its file and a mend', async (t) => {
  for (const { name, text } of refused) {
    for (const finding of yamlDocuments(text, 'p.yaml').findings) {
      t.match(finding, { file: 'p.yaml', severity: 'error', mend: /.{10}/ }, name);
    }
  }
});

t.test('a broken document hides neither the others nor their places', async (t) => {
  const text = 'a: 1\n---\nb: "open\n---\nc: 3\n---\nd: [\n...\n---\ne: 5\n';
  t.strictSame(found(text), [`${syntax} 3:4`, `${syntax} 8:1`]);
  const read = yamlDocuments(text, 'p.yaml');
  t.strictSame(values(text), [{ a: 1 }, { c: 3 }, { e: 5 }]);
  t.strictSame(
    read.documents.map((document) => document.locate([])),
    [
      { line: 1, column: 1 },
      { line: 5, column: 1 },
      { line: 10, column: 1 },
    ],
  );
});

t.test('an alias bomb is refused without being built', async (t) => {
  const levels = Array.from({ length: 30 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(10)}]`);
  const findings = yamlDocuments(`l0: &l0 [x]\n${levels.join('\n')}\n`, 'p.yaml').findings;
  t.equal(findings.length, 300);
  t.ok(findings.every((finding) => finding.code === 'EDW_ERR_YAML_ALIAS'));
});

t.test('of millions of faults a thousand are shown, and one says how it goes on', async (t) => {
  for (const text of ['}\n'.repeat(500_000), '\0'.repeat(500_000), `[${'*a, '.repeat(200_000)}]`]) {
    const { findings } = yamlDocuments(text, 'p.yaml');
    t.equal(findings.length, 1001);
    t.equal(findings.at(-1)?.code, 'EDW_ERR_TOO_MANY_PROBLEMS');
  }
});

const read = [
  { name: 'nothing', text: '', expect: [] },
  { name: 'only comments', text: '# one\n\n  # two\n', expect: [] },
  { name: 'markers alone', text: '---\n---\n# x\n---   # y\n...\n', expect: [] },
  { name: 'an explicit null is a document', text: '---\nnull\n', expect: [null] },
  {
    name: 'documents with and without markers',
    text: 'a: 1\n---\nb: 2\n...\nc: 3\n',
    expect: [{ a: 1 }, { b: 2 }, { c: 3 }],
  },
  { name: 'a document on the line of its marker', text: '--- {a: 1}\n--- [2]\n', expect: [{ a: 1 }, [2]] },
  { name: 'a byte order mark', text: '\ufeffa: 1\n', expect: [{ a: 1 }] },
  { name: 'Windows line ends', text: '---\r\na: 1\r\n---\r\nb:\r\n  - x\r\n', expect: [{ a: 1 }, { b: ['x'] }] },
  { name: 'a directive for YAML 1.2', text: '%YAML 1.2\n---\na: yes\n', expect: [{ a: 'yes' }] },
  {
    name: 'the core schema and nothing more',
    text: 'a: [no, 0o17, 0x1f, 1e3, 2024-01-01, ~, "1", true]\n',
    expect: [{ a: ['no', 15, 31, 1000, '2024-01-01', null, '1', true] }],
  },
  { name: 'an anchor that nothing uses', text: 'a: &x 1\n', expect: [{ a: 1 }] },
  { name: 'a merge key as a key like others', text: '<<: 1\n', expect: [{ '<<': 1 }] },
  {
    name: 'stars and bangs inside text',
    text: 'a: x*y!\nb: "*z"\nc: |\n  *no !alias\n  --- here\n',
    expect: [{ a: 'x*y!', b: '*z', c: '*no !alias\n--- here\n' }],
  },
  {
    name: 'a path ending in a star',
    text: 'http: [{ path: /v1/orders/* }]\n',
    expect: [{ http: [{ path: '/v1/orders/*' }] }],
  },
  { name: 'a backslash before a single quote', text: "a: 'C:\\'\n", expect: [{ a: 'C:\\' }] },
  {
    name: 'thirty-two levels',
    text: `${'['.repeat(32)}${']'.repeat(32)}`,
    expect: [Array.from({ length: 31 }).reduce<unknown[]>((inner) => [inner], [])],
  },
];

t.test('what is read', async (t) => {
  for (const { name, text, expect } of read) {
    t.strictSame(found(text), [], name);
    t.strictSame(values(text), expect, name);
  }
});

t.test('names that JavaScript treats specially are keys like any other', async (t) => {
  const [document] = yamlDocuments('__proto__: { a: 1 }\nconstructor: x\ntoString: y\n', 'p.yaml').documents;
  const value = document?.value as Record<string, unknown>;
  t.strictSame(Object.keys(value), ['__proto__', 'constructor', 'toString']);
  t.equal(Object.getPrototypeOf(value), null);
  t.equal(value.a, undefined);
  t.equal(({} as Record<string, unknown>).a, undefined);
  t.strictSame(document?.locate(['__proto__', 'a']), { line: 1, column: 17 });
});

const policy = `# the shop
kind: Policy
name: shop
rules:
  - id: crm
    from:
      - workloads: "app == 'crm'"
        within: [10.0.0.0/8, "2001:db8::/32"]
    to:
    http: [{ methods: [GET], path: /v1/* }]
---
kind: Network
cidrs:
  - 192.0.2.0/24
`;

const places = [
  { document: 0, path: [], at: '2:1', key: '2:1' },
  { document: 0, path: ['name'], at: '3:7', key: '3:1' },
  { document: 0, path: ['rules'], at: '5:3', key: '4:1' },
  { document: 0, path: ['rules', 0], at: '5:5', key: '5:5' },
  { document: 0, path: ['rules', 0, 'from', 0, 'workloads'], at: '7:20', key: '7:9' },
  { document: 0, path: ['rules', 0, 'from', 0, 'within', 1], at: '8:30', key: '8:30' },
  { document: 0, path: ['rules', 0, 'http', 0, 'path'], at: '10:36', key: '10:30' },
  { document: 0, path: ['rules', 0, 'to'], at: '9:5', key: '9:5', why: 'a value left out is where its key is' },
  { document: 0, path: ['rules', 0, 'until'], at: '5:5', key: '5:5', why: 'a missing key is where its parent is' },
  { document: 0, path: ['rules', 7, 'id'], at: '5:3', key: '5:3', why: 'a missing entry is where the list is' },
  { document: 0, path: ['name', 'x', 0], at: '3:7', key: '3:7', why: 'a path through text ends at the text' },
  { document: 1, path: ['kind'], at: '12:7', key: '12:1' },
  { document: 1, path: ['cidrs', 0], at: '14:5', key: '14:5' },
];

t.test('a path leads to the column of its value, or of its key when that is asked for', async (t) => {
  const { documents } = yamlDocuments(policy, 'p.yaml');
  for (const { document, path, at, key } of places) {
    const value = documents[document]?.locate(path);
    t.equal(`${value?.line}:${value?.column}`, at, path.join('.'));
    const keyAt = documents[document]?.locate(path, 'key');
    t.equal(`${keyAt?.line}:${keyAt?.column}`, key, `key of ${path.join('.')}`);
  }
});
