/** Rules that nobody would write: whatever comes in is refused or becomes whole Tcl, and means what F5's rules say. */
import fc from 'fast-check';
import t from 'tap';
import { loadRule } from '../../src/irule/load-rule.ts';
import { skip } from '../tclsh.ts';
import { expressions, VARIABLES } from './random-expression.ts';
import { search } from './search.ts';
import { evaluate, runTcl } from './tclsh.ts';

const names = { has: (): boolean => true };

t.test('expressions are worth what a second reading of the rules says', { skip }, async (t) => {
  const samples = fc.sample(expressions, search(t, 1500));
  const inBraces = evaluate(samples.map(({ text }) => `${VARIABLES}\nexpr {${text}}`));
  const inVariable = evaluate(samples.map(({ text }) => `${VARIABLES}\nset e {${text}}\nexpr $e`));
  for (const [index, { text, value }] of samples.entries()) {
    // Tcl prints what looks like a number as one.
    const result = /^0\d+$/.test(value) ? String(Number.parseInt(value, 8)) : value;
    t.strictSame(inBraces[index], { code: 0, result }, text);
    t.strictSame(inVariable[index], { code: 0, result }, `in a variable: ${text}`);
  }
});

interface Atom {
  form: 'braced' | 'quoted' | 'bare';
  text: string;
  isGlued: boolean;
}

const atoms: fc.Arbitrary<Atom[]> = fc.array(
  fc.record({
    form: fc.constantFrom<Atom['form'][]>('braced', 'quoted', 'bare'),
    text: fc.constantFrom('a', 'b c', '{d}', 'e', ''),
    isGlued: fc.boolean(),
  }),
  { minLength: 1, maxLength: 7 },
);

const writtenAtom = ({ form, text }: Atom): string => {
  if (form === 'braced') return `{${text}}`;
  return form === 'quoted' ? `"${text}"` : `x${text.replaceAll(' ', '')}`;
};

/** The words as F5 reads them: only what begins with a brace or a quote ends at its close. */
function wordsOf(line: readonly Atom[]): string[] {
  const words: string[] = [];
  let isOpen = false;
  for (const atom of line) {
    if (isOpen && atom.isGlued) words.push(`${words.pop() ?? ''}${writtenAtom(atom)}`);
    else words.push(atom.form === 'bare' ? writtenAtom(atom) : atom.text);
    if (!(isOpen && atom.isGlued)) isOpen = atom.form === 'bare';
  }
  return words;
}

t.test('words are those of a second reading of the rules', { skip }, async (t) => {
  // A blank inside a braced or quoted atom that is glued to a bare word would end that word.
  const isOneLine = (line: Atom[]): boolean =>
    line.every(({ form, text, isGlued }) => form === 'bare' || !isGlued || !text.includes(' '));
  const samples = fc.sample(atoms.filter(isOneLine), search(t, 1500));
  const outcomes = evaluate(
    samples.map((line) => {
      const text = line.map((atom) => `${atom.isGlued ? '' : ' '}${writtenAtom(atom)}`).join('');
      return `set r {}; foreach w [list ${text}] {append r "<$w>"}; set r`;
    }),
  );
  for (const [index, line] of samples.entries()) {
    const result = wordsOf(line)
      .map((word) => `<${word}>`)
      .join('');
    t.strictSame(outcomes[index], { code: 0, result }, JSON.stringify(line));
  }
});

t.test('lines are joined as a second reading of the rules says', { skip }, async (t) => {
  const lines = fc.array(
    fc.constantFrom('lappend r a', '{b}', '  {c}{d}', '', '   ', '# why', 'lappend r e;', 'lappend r \\'),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  const samples = fc.sample(lines, search(t, 800)).filter((sample) => sample.at(-1) !== 'lappend r \\');
  const outcomes = evaluate(samples.map((sample) => `\nset r {}\n${sample.join('\n')}\njoin $r`));
  for (const [index, sample] of samples.entries()) {
    const expected = readLines(sample);
    if (expected === null) t.match(outcomes[index], { code: 'refused' }, sample.join('|'));
    else t.strictSame(outcomes[index], { code: 0, result: expected.join(' ') }, sample.join('|'));
  }
});

/** The elements that r ends with, or null where a line is refused. */
function readLines(lines: readonly string[]): string[] | null {
  const elements: string[] = [];
  let state: 'open' | 'set' | 'closed' | 'joined' = 'set';
  for (const line of lines) {
    const text = line.trim();
    if (state === 'joined') {
      // The backslash made this line the rest of the one before.
      elements.push(...restOf(line));
      state = line.endsWith('\\') ? 'joined' : text.endsWith(';') ? 'closed' : 'open';
      if (line.endsWith('\\')) elements.pop();
    } else if (text.startsWith('{')) {
      if (state !== 'open') return null;
      elements.push(...(text === '{b}' ? ['b'] : ['c', 'd']));
    } else if (text === '' || text.startsWith('#')) state = 'closed';
    else if (text.endsWith('\\')) state = 'joined';
    else {
      elements.push(text.endsWith(';') ? 'e' : 'a');
      state = text.endsWith(';') ? 'closed' : 'open';
    }
  }
  return elements;
}

function restOf(line: string): string[] {
  const text = line.trim();
  if (text === '{b}') return ['b'];
  if (text === '{c}{d}') return ['c', 'd'];
  return text
    .replace(/;$/, '')
    .split(' ')
    .filter((word) => word !== '');
}

const SOUP = [
  ...'{}[]"$\\;#()\n\t ab01:*?!<>=&|+-~,.'.split(''),
  ...'when proc if else elseif while for foreach switch catch expr eval set list log pool class priority timing'
    .split(' ')
    .map((word) => `${word} `),
  ...`HTTP_REQUEST RULE_INIT CLIENT_ACCEPTED HTTP::uri [HTTP::host] $x \${y} $z(1) starts_with contains and or not matches`
    .split(' ')
    .map((word) => ` ${word} `),
  '{*}',
  '\\\n',
  '\r\n',
  '\\x41f',
  '\\U0041',
  '\\u0041',
  '010',
  '0b1',
  '"a b"',
  '{a b}',
  '# c\n',
  '}{',
  '} {',
  '{\n',
  '\n}',
  '\n{',
  '\nelse {',
];

const soups = fc.array(fc.constantFrom(...SOUP), { maxLength: 60 }).map((parts) => parts.join(''));

/** What is refused holds no Tcl; what is loaded is whole, so that it can't swallow what the data plane puts after it. */
function outcomeOf(text: string): string[] {
  const loading = loadRule('/Common/r', text, names);
  if (loading.state === 'loaded') return [...loading.rule.handlers, ...loading.rule.procs].map(({ body }) => body);
  return loading.message.length > 0 && !('rule' in loading) ? [] : ['refused without a word'];
}

t.test('whatever the text, a rule is refused, or its bodies are whole', { skip }, async (t) => {
  const inBodies = soups.chain((soup) =>
    fc.constantFrom(
      soup,
      `when RULE_INIT {${soup}}`,
      `when HTTP_REQUEST {if {${soup}} {}}`,
      `proc p {} {set a "${soup}"}`,
    ),
  );
  const samples = fc.sample(inBodies, search(t, 6000));
  const bodies = samples.flatMap(outcomeOf);
  const checks = runTcl(
    bodies.map(
      (body) => `info complete {x}; info complete [binary decode hex ${Buffer.from(`${body}\n`).toString('hex')}]`,
    ),
  );
  t.ok(bodies.length > samples.length / 50, `${bodies.length} of ${samples.length} are loaded`);
  for (const [index, body] of bodies.entries()) t.strictSame(checks[index], { code: 0, result: '1' }, body);
});

t.test('arbitrary text is refused or loaded, never thrown at', async (t) => {
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    outcomeOf(text);
    outcomeOf(`when RULE_INIT {${text}}`);
  });
  t.doesNotThrow(() => fc.assert(property, search(t, 2000)));
});

t.test('depth and size are bounded', async (t) => {
  const opens = [
    '[',
    '{',
    '"',
    '(',
    '$a(',
    '[list {',
    'if {1} {',
    'expr {(',
    'set a [',
    '{ {',
    '"[',
    'catch {',
    'a;',
    'a\n',
    '!',
    'not ',
    '1+',
    '"a" contains ',
    '\\',
    '\\\n',
    '#',
    '{}',
  ];
  for (const open of opens) {
    for (const wrap of [
      (text: string) => text,
      (text: string) => `when RULE_INIT {${text}}`,
      (text: string) => `when RULE_INIT {if {${text}} {}}`,
    ]) {
      const text = wrap(open.repeat(Math.floor(65_000 / open.length)));
      t.doesNotThrow(() => outcomeOf(text), `${open} in ${wrap('…')}`);
    }
  }
  const nested = (levels: number): string =>
    `when RULE_INIT {${'if {1} {'.repeat(levels)}set x 1${'}'.repeat(levels)}}`;
  t.equal(loadRule('/Common/r', nested(60), names).state, 'loaded');
  const refused = loadRule('/Common/r', nested(5000), names);
  t.match(refused, { state: 'refused', message: /parse error: too many nested levels/ });
});
