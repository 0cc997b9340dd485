/** Whatever a name or a value holds, it arrives as itself: in a configuration that is merged, and through a shell in a command. */
import fc from 'fast-check';
import t from 'tap';
import { createBoxConfig } from '../../../test/kit/bigip-simulator/src/config/create-box-config.ts';
import { enforcementRules } from '../../driver/irules.ts';
import { groupStanza, ruleStanza, tmshCommand } from '../../export/tmsh-text.ts';
import { tmshText, wordsOf } from './fixtures/console.ts';

const seed = Number(process.env.EDGEWARD_SEED) || 1 + Math.floor(Math.random() * 0x7ffffffe);
const search = { seed, numRuns: 150 * (Number(process.env.EDGEWARD_RUNS) || 1) };

const NASTY = [
  '{',
  '}',
  '"',
  "'",
  '\\',
  '\n',
  '\r',
  '\t',
  ' ',
  '#',
  '$(',
  '`',
  '[',
  ']',
  ';',
  '&',
  '|',
  '-',
  '~',
  '*',
  'a',
];
const WHOLE = [
  '}\nltm pool /Common/evil { }\n',
  '__proto__',
  'constructor',
  '12',
  'true',
  'none ',
  '$(reboot)',
  '--',
  'x'.repeat(60_000),
];

const hostile = fc.oneof(
  fc
    .array(fc.constantFrom(...NASTY, 'ü', '\u2028', '\0'), { minLength: 1, maxLength: 10 })
    .map((parts) => parts.join('')),
  fc.constantFrom(...WHOLE),
  fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }),
);
/** What tmsh has a word for. */
const value = hostile.filter((text) => text !== 'none' && !/\p{Cs}/u.test(text));
const record = fc.record({ name: value, data: fc.oneof(value, fc.constant('')) });

const emptyBox = () =>
  createBoxConfig({
    version: '17.1.2',
    hostname: 'bigip',
    loadRule: () => ({ state: 'loaded', rule: { handlers: [] } as never }),
  });

t.test('records and descriptions survive a merge exactly, and nothing else comes of them', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  fc.assert(
    fc.property(
      fc.uniqueArray(record, { selector: ({ name }) => name, maxLength: 6 }),
      fc.option(value, { nil: '' }),
      (records, description) => {
        const box = emptyBox();
        const before = box.snapshot().objects.length;
        box.merge([...groupStanza({ fullPath: '/Common/g', type: 'string', description, records })].join(''));
        const properties = box.get('ltm data-group internal', '/Common/g')?.properties ?? {};
        const sorted = (list: unknown): string =>
          JSON.stringify(
            (list as { name: string; data?: string }[]).map(({ name, data }) => [name, data ?? '']).sort(),
          );
        if (sorted(properties.records ?? []) !== sorted(records)) throw new Error(JSON.stringify(properties));
        if ((properties.description ?? '') !== description) throw new Error(JSON.stringify(properties.description));
        if (box.snapshot().objects.length !== before + 1) throw new Error('something else came of it');
      },
    ),
    search,
  );
});

t.test('a rule survives a merge as it stands, or is not written at all', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  let written = 0;
  fc.assert(
    fc.property(hostile, fc.boolean(), (text, pair) => {
      const rule = (pair ? `when HTTP_REQUEST { ${text} }` : text).trim();
      const stanza = ruleStanza('/Common/r', rule);
      if (stanza === null || rule === '') return;
      written += 1;
      const box = emptyBox();
      box.merge(`${stanza}ltm data-group internal /Common/after { type string }\n`);
      const found = box.get('ltm rule', '/Common/r')?.properties.apiAnonymous;
      if (found !== rule) throw new Error(JSON.stringify(found));
      if (box.get('ltm data-group internal', '/Common/after') === null) throw new Error('what follows was lost');
    }),
    search,
  );
  t.ok(written > search.numRuns / 4, 'most rules can be written');
});

t.test('our own rules can be written', async (t) => {
  const { l4, l7 } = await enforcementRules();
  for (const { fullPath, text } of [l4, l7]) t.not(ruleStanza(fullPath, text), null, fullPath);
});

t.test('a word in a command is the same word behind the shell, and never a second one', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  // Each takes a shell, and Linux gives no process an argument of 128 KiB.
  const few = { seed, numRuns: 60 };
  const words = fc
    .array(value, { minLength: 1, maxLength: 3 })
    .filter((list) => Buffer.byteLength(list.join('')) < 125_000);
  await fc.assert(
    fc.asyncProperty(words, async (words) => {
      const line = tmshCommand(['modify ltm virtual', ...words.map((word) => ({ word })), 'rules none']);
      if (words.some((word) => /\p{Cc}/u.test(word))) {
        if (line !== null) throw new Error('a control character in a command');
        return;
      }
      if (line === null || line.includes('\n')) throw new Error(String(line));
      const found = wordsOf((await tmshText(line)) ?? '');
      const expect = ['modify', 'ltm', 'virtual', ...words, 'rules', 'none'];
      if (JSON.stringify(found) !== JSON.stringify(expect)) throw new Error(JSON.stringify(found));
    }),
    few,
  );
});

t.test('plain names need no quotes', async (t) => {
  const line = tmshCommand([
    'modify ltm virtual',
    { word: '/Common/vs_orders' },
    'rules {',
    { word: '/Edgeward/a' },
    '}',
  ]);
  t.equal(line, 'tmsh modify ltm virtual /Common/vs_orders rules { /Edgeward/a }');
  const odd = tmshCommand(['modify ltm virtual', { word: "/Common/it's $(x)" }, 'rules none']);
  t.equal(odd, `tmsh -c 'modify ltm virtual "/Common/it'\\''s $(x)" rules none'`);
});
