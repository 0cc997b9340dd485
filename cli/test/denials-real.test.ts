/** `edgeward denials` and `why` against a real ledger behind the routes that every daemon with one serves. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { recordsOf } from './fixtures/csv.ts';
import { startLedgerDaemon, t0 } from './fixtures/ledger-daemon.ts';
import { documentsIn, run } from './fixtures/run.ts';

const shortly = new Date(t0 + 60_000).toISOString();

t.test('denials are found by what is given, at whichever daemon --url names', async (t) => {
  const daemon = await startLedgerDaemon(t);
  await daemon.deny(
    { ref: 'a' },
    { ref: 'b', source: '10.9.9.9', peer: '10.9.9.9', object: 'reports' },
    { ref: 'c', verdict: 'would-deny', t: t0 + 120_000 },
    { ref: 'd', rule: 'no-bots', reason: 'denied-by-rule', t: t0 + 120_000 },
  );
  const table: [string[], string][] = [
    [[], 'abcd'],
    [['--limit', '2'], 'cd'],
    [['--since', shortly], 'cd'],
    [['--until', shortly], 'ab'],
    [['--since', '1h'], ''],
    [['--source', '10.9.0.0/16'], 'b'],
    [['--label', 'source.app=crm', '--label', 'object.app=shop'], 'acd'],
    [['--label', 'source.app=crm', '--label', 'source.env=prod'], ''],
    [['--object', 'reports'], 'b'],
    [['--rule', 'no-bots'], 'd'],
    [['--rule', ''], 'abc'],
    [['--reason', 'denied-by-rule'], 'd'],
    [['--verdict', 'would-deny'], 'c'],
    [['--ref', 'b'], 'b'],
    [['--point', 'edge-2'], ''],
  ];
  for (const [args, refs] of table) {
    const { code, out, err } = await run(['denials', '--json', ...args, ...daemon.options]);
    t.strictSame([code, err], [0, ''], args.join(' '));
    t.equal((documentsIn(out) as { ref: string }[]).map(({ ref }) => ref).join(''), refs, args.join(' '));
  }
  for (const args of [
    ['--reason', 'because'],
    ['--label', 'app=crm'],
    ['--source', '10.0.0.1/8'],
    ['--verdict', 'allow'],
  ]) {
    const said = await run(['denials', ...args, ...daemon.options]);
    t.match(said, { code: 2, err: /^error EDW_ERR_QUERY: .* must be / }, args.join(' '));
  }
  t.match(await run(['why', 'a', ...daemon.options]), {
    code: 0,
    out: /\n {2}now {6}unknown: no policy is known here/,
  });
  t.match(await run(['why', 'e', ...daemon.options]), { code: 3, err: /EDW_ERR_UNKNOWN_REFERENCE/ });
  const token = daemon.options.slice(0, 3).concat(join(tmpdir(), 'edgeward-no-such-token'));
  t.match(await run(['denials', ...token]), {
    code: 69,
    err: /asking the daemon at .*\n {2}Start it, or correct --url/,
  });
});

t.test('a flood is a line with its number, and its reference says what is known of it', async (t) => {
  const daemon = await startLedgerDaemon(t);
  const unknown = { peer: null, peerPort: null, method: null, path: null, host: null, truncated: true };
  await daemon.deny({ ref: 'f', ...unknown, count: 4980, firstMs: t0 - 9_999 });
  const { out } = await run(['denials', ...daemon.options]);
  t.match(out, / DENY .* unknown-source .* ×4980 since .* ref f\n$/);
  t.match(await run(['why', 'f', ...daemon.options]), {
    code: 0,
    out: /\n {2}when {5}\S+ to \S+ at edge-1, .*\n {2}now {6}unknown: of these only their number was kept/s,
  });
});

t.test('lines of one list stand in columns', async (t) => {
  const daemon = await startLedgerDaemon(t);
  await daemon.deny(
    { ref: 'a', path: '/a' },
    { ref: 'b', source: '10.9.9.9', peer: '10.9.9.9', object: 'x', path: `/${'long/'.repeat(20)}`, method: 'PROPFIND' },
    { ref: 'c', verdict: 'would-deny', object: 'a-rather-long-name', path: null, method: null },
  );
  const { out } = await run(['denials', ...daemon.options]);
  const lines = out.trimEnd().split('\n');
  t.equal(lines.length, 3);
  for (const mark of [' edge-1 ', ' 10.', ' → ', ' tcp/443 ']) {
    t.equal(new Set(lines.map((line) => line.indexOf(mark))).size, 1, mark);
  }
  t.equal(lines[0]?.indexOf('unknown-source'), lines[2]?.indexOf('unknown-source'), 'a long one pushes its own aside');
});

/** Of a path or a host; whatever they hold, a spreadsheet shows it and runs nothing. */
const formulas = [
  ...['=cmd|"/C calc"!A0', '+1+1', '-2+3', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '  =1', '\uff1d1', "'=1", '"=1', '""=1'],
  ...['/x;=1', '/x,=1', '/x\t=1', '/x|=1', '/x";=HYPERLINK("http://evil.example")', '=\u0000', '\ufeff=1', '\u200b=1'],
];

t.test('a table for a spreadsheet has one record a denial, and runs nothing of it', async (t) => {
  const daemon = await startLedgerDaemon(t);
  await daemon.deny(...formulas.map((text, i) => ({ ref: `r${i}`, path: text, host: text, method: text })));
  const { code, out, err } = await run(['denials', '--csv', ...daemon.options]);
  t.strictSame([code, err], [0, '']);
  t.notMatch(out.replaceAll('\r\n', ''), /[\p{Cc}\p{Cf}]/u, 'nothing in it controls anything');
  const [heading = [], ...records] = recordsOf(out);
  t.equal(records.length, formulas.length, 'one each');
  for (const [i, record] of records.entries()) {
    t.equal(record.length, heading.length, `${JSON.stringify(formulas[i])}: every field`);
    t.equal(record[heading.indexOf('ref')], `r${i}`, 'every cell in its column');
    for (const separator of [',', ';', '\t', '|']) {
      const cells = record.flatMap((cell) => cell.split(separator).map((part) => part.replace(/^[\s"]+/, '')));
      t.notOk(
        cells.some((cell) => /^[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(cell)),
        `${JSON.stringify(formulas[i])} with ${JSON.stringify(separator)}`,
      );
    }
  }
  t.equal(records[0]?.[heading.indexOf('sourceLabels')], 'app=crm,env=dev');
  t.match(records[0]?.[heading.indexOf('path')], "'=cmd|");
  const none = await run(['denials', '--csv', '--object', 'none', ...daemon.options]);
  t.strictSame(recordsOf(none.out), [heading], 'the heading stands there also where nothing else does');
});
