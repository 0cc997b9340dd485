/** The frame of every command: what may be said on a command line, what help shows, what text may reach a terminal. */
import t from 'tap';
import { commands as entries } from '../src/commands.ts';
import { allCommands, isFamily } from '../src/frame/command-line.ts';
import { parseDurationMs } from '../src/frame/duration.ts';
import { exitCodes } from '../src/frame/exit-codes.ts';
import { nearestName } from '../src/frame/nearest-name.ts';
import { watchStatus } from '../src/frame/status-watch.ts';
import { createPaint, jsonText, printable, wantsColour } from '../src/frame/terminal-text.ts';
import { singleCommand, singleCommands } from '../src/single-commands.ts';
import { documentsIn, run, start } from './fixtures/run.ts';

const commands = allCommands(entries);

t.test('a command line that is wrong ends with 2, a code, and the name that was meant', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['chekc', 'x'], /no command 'chekc'[\s\S]*Did you mean check\?/],
    [['hlep'], /no command 'hlep'/],
    [['check'], /'check' needs DIR/],
    [['check', ''], /DIR is empty/],
    [['check', 'a', 'b'], /'b' is one argument too many/],
    [['check', 'a', '--jsno'], /no option --jsno for 'check'[\s\S]*Did you mean --json\?/],
    [['check', 'a', '-x'], /no option -x/],
    [['check', 'a', '--json=yes'], /--json takes no value/],
    [['check', 'a', '--from', 'x'], /no option --from for 'check'/],
    [['explain', 'a', '--form', '1.2.3.4'], /Did you mean --from\?/],
    [['explain', 'a', '--from'], /--from needs a value: IP/],
    [['explain', 'a', '--from', '--to', 'x'], /--from needs a value before --to/],
    [['explain', 'a', '--to', 'a', '--to', 'b'], /--to is given twice/],
    [['explain', 'a', '--to', 'x'], /'explain' needs --from IP/],
    [['explain', 'a', '--from', '1.2.3', '--to', 'x', '--port', 'tcp/80'], /'1.2.3' is no address/],
    [['explain', 'a', '--from', '1.2.3.4', '--to', 'x', '--port', '80'], /'80' is no port/],
    [['explain', 'a', '--flows', 'f', '--to', 'x'], /--flows and --to can't be given together/],
    [['compile', 'a', '--out', 'x'], /'compile' needs --point NAME/],
    [['compile', 'a', '--point', 'x'], /'compile' needs --out FILE/],
    [['accept', 'latest'], /'latest' is no revision/],
    [['accept', '0'], /'0' is no revision/],
    [['denials', '--since', '10'], /'10' is no time/],
    [['denials', '--limit', '0'], /'0' is not within 1 to 10000/],
    [['denials', '--limit', '5', '--since', '1m'], /can't be given together/],
    [['status', '--timeout', '0s'], /no answer comes in no time/],
    [['nginx'], /'nginx' needs a command[\s\S]*It has snippets, check, discover, whoami\.[\s\S]*edgeward nginx --help/],
    [['nginx', 'snipets'], /no command 'nginx snipets'[\s\S]*Did you mean nginx snippets\?/],
    [['nginx', 'snippets', 'more'], /'more' is one argument too many/],
    [['help', 'nginx', 'nope'], /no command 'nginx nope'/],
    [['--json', 'nope'], /no command 'nope'/],
  ];
  for (const [args, says] of wrong) {
    const { code, out, err } = await run(args);
    const text = args.includes('--json') ? out : err;
    t.equal(code, 2, args.join(' '));
    t.match(text, says, args.join(' '));
    t.match(text, /EDW_ERR_USAGE/, args.join(' '));
  }
});

t.test('a command that is loaded alone is the one that help shows, and only its first words load it', async (t) => {
  t.ok(singleCommands.length > 25);
  for (const words of singleCommands) {
    const [first = ''] = words.split(' ');
    const single = await singleCommand([...words.split(' '), '--help']);
    const found = entries.find(({ name }) => name === first) ?? null;
    if (words === first) t.equal(single, found, words);
    else
      t.strictSame(
        single === null ? [] : allCommands([single]),
        commands.filter(({ name }) => name === words),
        words,
      );
  }
  for (const words of [
    [],
    ['store'],
    ['store', 'nope'],
    ['nope'],
    ['--json', 'check'],
    ['help', 'check'],
    ['toString'],
  ])
    t.equal(await singleCommand(words), null, words.join(' '));
});

t.test('global options stand anywhere, and after -- nothing is an option', async (t) => {
  const missing = t.testdir();
  const before = await run(['--json', 'check', missing]);
  const after = await run(['check', missing, '--json']);
  t.strictSame(before, after);
  t.equal(before.code, 0);
  const { code, err } = await run(['check', '--', '--json']);
  t.equal(code, 78, 'a directory called --json is looked for');
  t.match(err, /^error EDW_ERR_POLICY_DIR: /);
});

t.test('with --json an error is one JSON document on stdout and stderr is silent', async (t) => {
  for (const args of [['check'], ['check', '/nowhere'], ['status', '--config', '/nowhere.yaml']]) {
    const { out, err } = await run([...args, '--json']);
    const [document, ...more] = documentsIn(out) as { error: Record<string, unknown> }[];
    t.strictSame(more, []);
    t.strictSame(Object.keys(document ?? {}), ['error']);
    t.strictSame(Object.keys(document?.error ?? {}), ['code', 'message', 'mend']);
    t.equal(err, '');
  }
});

t.test('every help shows an example first, its options, and every exit code', async (t) => {
  for (const command of commands) {
    const words = command.name.split(' ');
    const { code, out, err } = await run([...words, '--help']);
    t.equal(code, 0);
    t.equal(err, '');
    t.ok(out.startsWith(`EXAMPLES\n  ${command.help.examples[0]?.line}\n`), `${command.name}: the example is first`);
    for (const option of Object.keys(command.options)) t.match(out, new RegExp(`\n  --${option}[ \n]`), option);
    const exits = out.slice(out.indexOf('\nEXIT CODES\n'));
    for (const exit of exitCodes) t.match(exits, new RegExp(`\n  ${exit} +\\S`), `${command.name}: ${exit}`);
    t.strictSame(await run(['help', ...words]), { code, out, err }, 'the word help does the same');
  }
});

t.test('a family shows an example first, and every command that it has', async (t) => {
  for (const family of entries.filter((entry) => isFamily(entry))) {
    const { code, out } = await run([family.name, '--help']);
    t.equal(code, 0);
    t.ok(out.startsWith(`EXAMPLES\n  ${family.commands[0]?.help.examples[0]?.line}\n`), family.name);
    for (const { name } of family.commands) {
      t.ok(name.startsWith(`${family.name} `), name);
      t.match(out, `\n  ${name.slice(family.name.length + 1)} `);
    }
    t.strictSame(await run(['help', family.name]), { code, out, err: '' });
  }
});

t.test('an option means the same type in every command', async (t) => {
  const types = new Map<string, string>();
  for (const { name: command, options } of commands) {
    for (const [name, { type }] of Object.entries(options)) {
      t.equal(types.get(name) ?? type, type, `${command} --${name}`);
      types.set(name, type);
    }
  }
});

t.test('without a command the help goes to stderr with 2; asked for, to stdout with 0', async (t) => {
  const none = await run([]);
  const asked = await run(['--help']);
  t.strictSame([none.code, none.out, asked.code, asked.err], [2, '', 0, '']);
  t.equal(none.err, asked.out);
  for (const { name } of entries) t.match(asked.out, `\n  ${name} `);
  t.match(await run(['--version']), { code: 0, out: /^edgeward \d+\.\d+\.\d+\n$/ });
  t.match(documentsIn((await run(['--version', '--json'])).out), [{ version: /^\d+\.\d+\.\d+$/ }]);
});

t.test('a reader that goes away ends the program quietly', async (t) => {
  const { child, ended } = start(t, ['--help']);
  child.stdout.destroy();
  const { code, err } = await ended;
  t.equal(code, 0);
  t.equal(err, '');
});

t.test('the nearest name is proposed only when it is near', async (t) => {
  const names = ['check', 'explain', 'status', 'accept', 'point'];
  const expected: [string, string | null][] = [
    ['chekc', 'check'],
    ['CHECK', 'check'],
    ['stauts', 'status'],
    ['exp', 'explain'],
    ['points', 'point'],
    ['xyz', null],
    ['', null],
    ['a', null],
    ['x'.repeat(10_000), null],
  ];
  for (const [given, meant] of expected) t.equal(nearestName(given, names), meant, given.slice(0, 20));
});

t.test('durations are read with their unit or not at all', async (t) => {
  const expected: [string, number | null][] = [
    ['90s', 90_000],
    ['10m', 600_000],
    ['1.5h', 5_400_000],
    ['1d', 86_400_000],
    ['250ms', 250],
    ['10', null],
    ['-1m', null],
    ['1e3s', null],
    ['999999999d', null],
    ['', null],
  ];
  for (const [text, ms] of expected) t.equal(parseDurationMs(text), ms, text);
});

t.test('nothing that a terminal obeys or hides survives printing', async (t) => {
  const expected: [string, string][] = [
    ['/v1/x', '/v1/x'],
    ['größe → ✓', 'größe → ✓'],
    ['\x1b[2J\x1b]0;owned\x07', '\\x1b[2J\\x1b]0;owned\\x07'],
    ['a\r\nDENY b', 'a\\x0d\\x0aDENY b'],
    ['\x9b31m', '\\x9b31m'],
    ['\u202egpj.exe', '\\u{202e}gpj.exe'],
    ['zero\u200bwidth', 'zero\\u{200b}width'],
    ['\ud800', '\\u{d800}'],
    ['\u{e0041}', '\\u{e0041}'],
    ['\u2028', '\\u{2028}'],
  ];
  for (const [given, shown] of expected) {
    t.equal(printable(given), shown);
    const json = jsonText({ given });
    t.notMatch(json, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u, 'nor does it survive as JSON');
    t.strictSame(JSON.parse(json), { given }, 'which parses to the same');
  }
});

t.test('colours are for terminals, and only where nobody objects', async (t) => {
  t.equal(wantsColour(true, false, {}), true);
  t.equal(wantsColour(false, false, {}), false);
  t.equal(wantsColour(true, true, {}), false);
  t.equal(wantsColour(true, false, { NO_COLOR: '1' }), false);
  t.equal(wantsColour(true, false, { NO_COLOR: '' }), true);
  t.equal(wantsColour(true, false, { TERM: 'dumb' }), false);
  t.equal(createPaint(false).bad('x'), 'x');
  t.equal(createPaint(true).bad('x'), '\x1b[31mx\x1b[39m');
});

t.test('a watch draws over a terminal each time, and writes no line of JSON twice', async (t) => {
  const table: [boolean, string[]][] = [
    [false, ['\x1b[H\x1b[2Jone', '\x1b[H\x1b[2Jone', '\x1b[H\x1b[2Jtwo']],
    [true, ['{"is":"one","nowMs":1}\n', '{"is":"two","nowMs":3}\n']],
  ];
  const watched = async (json: boolean): Promise<string[]> => {
    const gone = new AbortController();
    const written: string[] = [];
    const write = async (text: string): Promise<void> => {
      written.push(text);
      if (text.includes('two')) gone.abort();
    };
    const out = { write, isTty: true, rows: 24, gone: gone.signal };
    let nowMs = 0;
    const ask = async () => {
      nowMs += 1;
      const is = nowMs < 3 ? 'one' : 'two';
      return { raw: { is, nowMs }, value: is };
    };
    const watch = { ask, text: (is: string) => is, timeKeys: new Set(['nowMs']), passing: new Set<string>() };
    t.equal(await watchStatus({ json, out, err: out }, watch), 0);
    return written;
  };
  await Promise.all(table.map(async ([json, says]) => t.strictSame(await watched(json), says)));
});
