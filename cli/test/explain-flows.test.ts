/** `edgeward explain --flows`: a line in, a line out, whatever the lines are. */
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import t from 'tap';
import { createFlowLines, maxFlowLineBytes } from '../src/policy/flow-lines.ts';
import { documentsIn, examplePolicies, run, start } from './fixtures/run.ts';

const flow = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    from: '127.0.10.4',
    to: 'order-front',
    port: 'tcp/80',
    method: 'GET',
    path: '/v1/orders/7',
    ...more,
  });

const judge = (stdin: string | Uint8Array) => run(['explain', examplePolicies, '--flows', '-'], { stdin });

const allowed = { verdict: 'allow', reason: 'allowed-by-rule', rule: 'crm-orders', mode: 'enforce', revision: 0 };

t.test('each line gets its answer in its place', async (t) => {
  const huge = flow({ path: `/${'x'.repeat(maxFlowLineBytes)}` });
  const lines: [string, unknown][] = [
    [flow(), allowed],
    [flow({ from: '::ffff:127.0.10.4' }), allowed],
    [flow({ method: null, host: null, forwardedFor: null }), allowed],
    [flow({ host: ['shop.example', 'shop.example:80'] }), allowed],
    [flow({ id: 7, path: '/v1/orders' }), allowed],
    [flow({ from: '127.0.66.6' }), { verdict: 'deny', reason: 'unknown-source', rule: null, mode: 'enforce' }],
    [flow({ to: 'nobody' }), { verdict: 'deny', reason: 'unknown-object', mode: null }],
    [flow({ to: '__proto__' }), { verdict: 'deny', reason: 'unknown-object', mode: null }],
    [flow({ to: 'reports', from: '127.0.66.6' }), { verdict: 'deny', mode: 'observe' }],
    [flow({ port: 'tcp/81' }), { verdict: 'deny', reason: 'port-not-allowed' }],
    [flow({ path: '/\x1b[2J' }), { verdict: 'deny', reason: 'bad-request' }],
    ['', { error: { code: 'EDW_ERR_FLOW_JSON', message: 'the line is empty' } }],
    ['  ', { error: { code: 'EDW_ERR_FLOW_JSON' } }],
    ['{"from":', { error: { code: 'EDW_ERR_FLOW_JSON' } }],
    ['null', { error: { code: 'EDW_ERR_FLOW' } }],
    ['[]', { error: { code: 'EDW_ERR_FLOW' } }],
    ['"x"', { error: { code: 'EDW_ERR_FLOW' } }],
    ['{}', { error: { code: 'EDW_ERR_FLOW', message: "'from' is missing" } }],
    [flow({ from: 7 }), { error: { code: 'EDW_ERR_FLOW', message: "'from' is no string" } }],
    [flow({ from: '1.2.3' }), { error: { code: 'EDW_ERR_FLOW', message: "'from' is no address" } }],
    [flow({ to: null }), { error: { code: 'EDW_ERR_FLOW', message: "'to' is no string" } }],
    [flow({ port: 443 }), { error: { code: 'EDW_ERR_FLOW', message: "'port' is no string" } }],
    [flow({ port: '443' }), { error: { code: 'EDW_ERR_FLOW' } }],
    [flow({ port: 'tcp/65536' }), { error: { code: 'EDW_ERR_FLOW' } }],
    [flow({ method: 1 }), { error: { code: 'EDW_ERR_FLOW', message: "'method' is no string" } }],
    [flow({ host: [1] }), { error: { code: 'EDW_ERR_FLOW' } }],
    [huge, { error: { code: 'EDW_ERR_FLOW_TOO_LONG' } }],
    [flow(), allowed],
  ];
  const { code, out, err } = await judge(lines.map(([line]) => `${line}\n`).join(''));
  t.equal(code, 3);
  t.equal(err, '16 lines of 28 could not be read\n');
  const answers = documentsIn(out);
  t.equal(answers.length, lines.length);
  for (const [i, [line, expected]] of lines.entries()) t.match(answers[i], expected as object, line.slice(0, 80));
});

t.test('bytes that are no UTF-8 are an error of their line', async (t) => {
  const bytes = Buffer.concat([
    Buffer.from(`${flow()}\n{"from":"`),
    Buffer.from([0xff, 0xc0]),
    Buffer.from(`"}\n${flow()}\n`),
  ]);
  const { code, out } = await judge(bytes);
  t.equal(code, 3);
  t.match(documentsIn(out), [allowed, { error: { code: 'EDW_ERR_FLOW_JSON', message: /UTF-8/ } }, allowed]);
});

t.test('a byte order mark, CRLF and a missing last newline change nothing', async (t) => {
  const plain = await judge(`${flow()}\n${flow({ to: 'x' })}\n`);
  t.equal(plain.code, 0);
  t.strictSame(await judge(`\ufeff${flow()}\r\n${flow({ to: 'x' })}`), plain);
  t.strictSame(await judge(''), { code: 0, out: '', err: '' });
  t.match(await judge('\n'), { code: 3, out: /EDW_ERR_FLOW_JSON/ });
});

t.test('lines are the same however the bytes arrive', async (t) => {
  const text = `\ufeff${flow()}\r\n\n${'y'.repeat(maxFlowLineBytes + 1)}\n${'z'.repeat(maxFlowLineBytes)}\nlast`;
  const bytes = Buffer.from(text);
  const cut = (size: number): string[] => {
    const lines = createFlowLines();
    const found = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...lines.push(bytes.subarray(at, at + size)));
    return [...found, ...lines.end()].map((line) => (line === 'too-long' ? line : Buffer.from(line).toString()));
  };
  const expected = [flow(), '', 'too-long', 'z'.repeat(maxFlowLineBytes), 'last'];
  for (const size of [1, 2, 3, 7, 4096, bytes.length]) t.strictSame(cut(size), expected, `pieces of ${size}`);
});

t.test('a file is read as stdin is, and one that cannot be read ends with 2', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'flows.ndjson');
  writeFileSync(file, `${flow()}\n`);
  t.strictSame(await run(['explain', examplePolicies, '--flows', file]), await judge(`${flow()}\n`));
  for (const missing of [join(dir, 'no'), dir]) {
    t.match(await run(['explain', examplePolicies, '--flows', missing]), {
      code: 2,
      out: '',
      err: /EDW_ERR_FLOWS_FILE/,
    });
  }
});

const count = 100_000;

function* manyFlows(): Generator<string> {
  for (let i = 0; i < count; i += 1) yield `${flow({ path: `/v1/orders/${i}`, from: `127.0.10.${(i % 2) + 4}` })}\n`;
}

t.test('a hundred thousand lines come out in order, in little memory', async (t) => {
  const file = join(t.testdir(), 'flows.ndjson');
  await pipeline(Readable.from(manyFlows()), createWriteStream(file));
  // 48 MiB hold the program, and neither the 12 MB of flows twice nor their answers.
  const { ended } = start(t, ['explain', examplePolicies, '--flows', file], {
    NODE_OPTIONS: '--max-old-space-size=48',
  });
  const { code, out, err } = await ended;
  t.strictSame([code, err], [0, '']);
  const answers = documentsIn(out) as { verdict: string }[];
  t.equal(answers.length, count);
  t.ok(
    answers.every(({ verdict }, i) => verdict === (i % 2 === 0 ? 'allow' : 'deny')),
    'in order',
  );
});

t.test('answers come while the input is still open, and a reader that leaves ends it quietly', async (t) => {
  const { child, ended } = start(t, ['explain', examplePolicies, '--flows', '-']);
  child.stdin.on('error', () => {});
  child.stdin.write(`${flow()}\n`);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdout.destroy();
  for (let i = 0; i < 100 && child.exitCode === null && !child.stdin.destroyed; i += 1) {
    child.stdin.write(`${flow()}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.stdin.end();
  const { code, err } = await ended;
  t.strictSame([code, err], [0, '']);
});
