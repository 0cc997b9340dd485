/** `edgeward explain` of one flow, and `edgeward compile`. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { examplePolicies, run } from './fixtures/run.ts';

const explain = (...args: string[]) => run(['explain', examplePolicies, ...args]);

t.test('allow ends with 0, deny with 3, and the reason is told in words', async (t) => {
  const cases: [string, string[], number, RegExp][] = [
    [
      'a rule allows',
      ['127.0.10.4', 'order-front', '/v1/orders/7'],
      0,
      /^ALLOW .*an allow rule matches 'crm-orders'\n[\s\S]* {2}rule +crm-orders {2}.*shop\.yaml:\d+\n/,
    ],
    [
      'a label is wrong',
      ['127.0.10.5', 'order-front', '/v1/orders/7'],
      3,
      /^DENY [\s\S]* {2}nearest +crm-orders {2}.*shop\.yaml:\d+\n {2}missed +source: needs env == 'prod', has 'dev'\n/,
    ],
    ['a path is a trick', ['127.0.10.4', 'order-front', '/v1/orders/..%2fx'], 3, /bad-request/],
    [
      'an object is in observe',
      ['127.0.66.6', 'reports', '/'],
      3,
      /^would DENY \(observe: passes\)[\s\S]* {2}mode +observe\n/,
    ],
    ['an object is unknown', ['127.0.10.4', 'order-fornt', '/'], 3, /unknown-object[\s\S]*Did you mean order-front\?/],
  ];
  for (const [name, [from = '', to = '', path = ''], exit, says] of cases) {
    const { code, out, err } = await explain('--from', from, '--to', to, '--port', 'tcp/80', '--path', path);
    t.strictSame([code, err], [exit, ''], name);
    t.match(out, says, name);
  }
});

t.test('as JSON it has the verdict, the mode, revision 0 and the lines', async (t) => {
  const { code, out } = await explain('--from', '127.0.10.5', '--to', 'order-front', '--port', 'tcp/80', '--json');
  t.equal(code, 3);
  t.match(JSON.parse(out), {
    verdict: 'deny',
    reason: 'unknown-source',
    rule: null,
    mode: 'enforce',
    revision: 0,
    nearestRule: 'crm-orders',
    missed: /env/,
    rulePlace: null,
    nearestPlace: { file: 'shop.yaml', line: Number },
    words: /^DENY /,
  });
});

t.test('method, hosts and X-Forwarded-For are judged as given', async (t) => {
  const dir = t.testdir({
    'p.yaml': `kind: VirtualServer
name: web
labels: { app: web }
point: edge-1
bind: web
ports: [tcp/80]
trustedProxies: [198.51.100.0/28]
mode: enforce
---
kind: Policy
name: p
rules:
  - id: r
    from: [{ cidr: 192.0.2.1/32 }]
    to: all()
    http: [{ methods: [PUT], hosts: [web.example] }]
`,
  });
  const ask = async (...args: string[]): Promise<unknown> => {
    const flow = ['--from', '192.0.2.1', '--to', 'web', '--port', 'tcp/80', '--json'];
    return (JSON.parse((await run(['explain', dir, ...flow, ...args])).out) as { reason: unknown }).reason;
  };
  t.equal(await ask('--method', 'PUT', '--host', 'WEB.example:8080'), 'allowed-by-rule');
  t.equal(await ask('--method', 'GET', '--host', 'web.example'), 'request-not-allowed');
  t.equal(await ask('--method', 'PUT', '--host', 'web.example', '--host', 'other.example'), 'bad-request');
  const proxied = ['explain', dir, '--from', '198.51.100.1', '--to', 'web', '--port', 'tcp/80', '--method', 'PUT'];
  const behind = [...proxied, '--host', 'web.example', '--forwarded-for', '203.0.113.9, 192.0.2.1'];
  t.equal((await run(behind)).code, 0);
  t.equal((await run(proxied)).code, 3);
});

t.test('what was typed never reaches the terminal as it is', async (t) => {
  const { out } = await explain(
    '--from',
    '127.0.10.4',
    '--to',
    'a\x1b[2Jb',
    '--port',
    'tcp/80',
    '--path',
    '/\x1b]0;x\x07',
  );
  t.match(out, '\\x1b[2J');
  t.notMatch(out.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
});

const compile = (...args: string[]) => run(['compile', examplePolicies, ...args]);

t.test('compile writes the same bytes for the same policy, to a file or to stdout', async (t) => {
  const file = join(t.testdir(), 'edge-1.json');
  const said = await compile('--point', 'edge-1', '--out', file);
  t.equal(said.code, 0);
  t.match(said.out, /^wrote .*edge-1\.json for edge-1: 3 objects, [\d,]+ bytes, hash [0-9a-f]{12}\n$/);
  const text = readFileSync(file, 'utf8');
  t.match(JSON.parse(text), { format: 1, point: 'edge-1', revision: 0, objects: [{}, {}, {}] });
  t.strictSame(await compile('--point', 'edge-1', '--out', '-'), { code: 0, out: text, err: '' });
  const json = JSON.parse((await compile('--point', 'edge-1', '--out', file, '--json')).out) as { bytes: number };
  t.equal(json.bytes, statSync(file).size);
  t.equal(readFileSync(file, 'utf8'), text);
});

t.test('compile writes through a link, and replaces no pipe or device', async (t) => {
  const dir = t.testdir({ 'edge-1.json': '', link: t.fixture('symlink', 'edge-1.json') });
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  t.equal((await compile('--point', 'edge-1', '--out', join(dir, 'link'))).code, 0);
  t.ok(lstatSync(join(dir, 'link')).isSymbolicLink());
  t.match(JSON.parse(readFileSync(join(dir, 'edge-1.json'), 'utf8')), { format: 1 });
  const { code, err } = await compile('--point', 'edge-1', '--out', join(dir, 'pipe'));
  t.equal(code, 2);
  t.match(err, /EDW_ERR_OUT_FILE: .*no regular file/);
  t.ok(statSync(join(dir, 'pipe')).isFIFO());
});

t.test('compile --dry-run writes nothing', async (t) => {
  const dir = t.testdir();
  const { code, out } = await compile('--point', 'edge-1', '--out', join(dir, 'x.json'), '--dry-run');
  t.equal(code, 0);
  t.match(out, /^would write /);
  t.strictSame(readdirSync(dir), []);
});

t.test('compile refuses what it cannot do and leaves what was there', async (t) => {
  const dir = t.testdir({ 'old.json': 'old' });
  writeFileSync(join(dir, 'file'), '');
  const cases: [string[], number, RegExp][] = [
    [['--point', 'edge1', '--out', join(dir, 'old.json')], 3, /EDW_ERR_UNKNOWN_POINT[\s\S]*Did you mean edge-1\?/],
    [['--point', 'edge-1', '--out', join(dir, 'no', 'x.json')], 2, /EDW_ERR_OUT_FILE/],
    [['--point', 'edge-1', '--out', join(dir, 'file', 'x.json')], 2, /EDW_ERR_OUT_FILE/],
    [['--point', 'edge-1', '--out', dir], 2, /EDW_ERR_OUT_FILE/],
  ];
  for (const [args, exit, says] of cases) {
    const { code, out, err } = await compile(...args);
    t.strictSame([code, out], [exit, ''], args.join(' '));
    t.match(err, says, args.join(' '));
  }
  t.strictSame(readdirSync(dir).sort(), ['file', 'old.json']);
  t.equal(readFileSync(join(dir, 'old.json'), 'utf8'), 'old');
});
