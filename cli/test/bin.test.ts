/** The committed command: it starts on any Node, hands over to the pinned one, and a caller notices no difference. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import t, { type Test } from 'tap';
import { endOf, examplePolicies } from './fixtures/run.ts';

const bin = fileURLToPath(new URL('../bin/', import.meta.url));

/** Takes the place of the program: says who runs it, then does what it is told. */
const program = `
const [what, value] = process.argv.slice(2);
const say = () => process.stdout.write(JSON.stringify({ version: process.version, args: process.argv.slice(2) }) + '\\n');
if (what !== 'wait') say();
if (what === 'exit') process.exitCode = Number(value);
if (what === 'signal') process.kill(process.pid, value);
if (what === 'echo') process.stdin.pipe(process.stdout);
if (what === 'wait') {
  const timer = setInterval(() => {}, 1000);
  process.on(value, () => { process.stdout.write('got ' + value + '\\n'); clearInterval(timer); process.exitCode = 7; });
  say();
}
`;

/** Makes the Node that runs it seem to be another one; the Node that it hands over to does not inherit that. */
const pretend = `
Object.defineProperty(process.versions, 'node', { value: process.env.PRETEND });
process.execArgv.length = 0;
`;

interface Installation {
  bin: string;
  pretend: string;
}

/** An installation as \`npm ci\` leaves it, in a folder below the one that has the pinned Node. */
function install(t: Test, { pinned = true, built = true } = {}): Installation {
  const root = t.testdir({ 'pretend.cjs': pretend, node_modules: { edgeward: { bin: {}, dist: {} } } });
  const folder = join(root, 'node_modules', 'edgeward');
  copyFileSync(join(bin, 'edgeward.js'), join(folder, 'bin', 'edgeward.js'));
  copyFileSync(join(bin, 'package.json'), join(folder, 'bin', 'package.json'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  if (built) writeFileSync(join(folder, 'dist', 'main.js'), program);
  if (pinned) {
    const node = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
    mkdirSync(node, { recursive: true });
    // Another file than the Node that runs this, or it would be taken for the same one.
    writeFileSync(join(node, 'node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
    chmodSync(join(node, 'node'), 0o755);
  }
  mkdirSync(join(root, 'node_modules', '.bin'));
  const link = join(root, 'node_modules', '.bin', 'edgeward');
  symlinkSync('../edgeward/bin/edgeward.js', link);
  return { bin: link, pretend: join(root, 'pretend.cjs') };
}

function startOn(t: Test, version: string | null, where: Installation, args: string[]) {
  const node = version === null ? [] : ['--require', where.pretend];
  const env = { PATH: process.env.PATH ?? '', PRETEND: version ?? '' };
  const child = spawn(process.execPath, [...node, where.bin, ...args], { env });
  t.teardown(() => child.kill('SIGKILL'));
  return { child, ended: endOf(child) };
}

t.test('it has no syntax that Node 12 lacks', async (t) => {
  const source = execFileSync('cat', [join(bin, 'edgeward.js')], { encoding: 'utf8' });
  const as = (target: string): string => transformSync(source, { target, supported: { 'dynamic-import': true } }).code;
  t.equal(as('node12'), as('esnext'));
  t.notMatch(source, /require\('node:/);
});

t.test('arguments, exit codes and streams are those of the program, on an old Node and on a new one', async (t) => {
  const where = install(t);
  for (const version of ['12.0.0', '20.20.2', '22.21.9', '22.22.0', '24.0.0', null]) {
    const said = await startOn(t, version, where, ['exit', '3', '--json', 'a b', '']).ended;
    t.match(said, { code: 3, signal: null, err: '' }, String(version));
    t.strictSame(JSON.parse(said.out), { version: process.version, args: ['exit', '3', '--json', 'a b', ''] });
    const { child, ended } = startOn(t, version, where, ['echo']);
    child.stdin.end('to and fro');
    t.match(await ended, { code: 0, out: /\nto and fro$/ }, String(version));
  }
});

t.test('signals reach the program, and what kills it shows', async (t) => {
  const where = install(t);
  for (const version of ['20.20.2', null]) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const { child, ended } = startOn(t, version, where, ['wait', signal]);
      await once(child.stdout, 'data');
      child.kill(signal);
      t.match(await ended, { code: 7, signal: null, out: new RegExp(`\ngot ${signal}\n$`) }, `${signal} on ${version}`);
    }
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      const said = await startOn(t, version, where, ['signal', signal]).ended;
      t.match(said, { code: -1, signal }, `killed by ${signal} on ${version}`);
    }
  }
});

t.test('without a Node that can run it, or without a build, it says what to do and ends with 69', async (t) => {
  const cases: [string, Parameters<typeof install>[1], string | null, RegExp][] = [
    [
      'no pinned Node',
      { pinned: false },
      '20.20.2',
      /^error EDW_ERR_NODE: this is Node 20\.20\.2, and Edgeward needs 22\.22 .*\n {2}Run `npm ci`/,
    ],
    ['not built', { built: false }, null, /^error EDW_ERR_NOT_BUILT: .*dist\/main\.js\n {2}Run `npm run build`/],
    ['not built, on an old Node', { built: false }, '12.0.0', /^error EDW_ERR_NOT_BUILT: /],
  ];
  for (const [name, how, version, says] of cases) {
    const where = install(t, how);
    t.match(await startOn(t, version, where, ['check', 'x']).ended, { code: 69, out: '', err: says }, name);
    const json = await startOn(t, version, where, ['check', 'x', '--json']).ended;
    t.match(json, { code: 69, err: '' }, name);
    t.match(JSON.parse(json.out), { error: { code: /^EDW_ERR_/, message: String, mend: String } }, name);
  }
});

/** Old ones that happen to be here are tried in earnest; the pretended ones above are tried everywhere. */
function nodesHere(): string[] {
  return [...new Set([process.execPath, '/usr/bin/node', '/usr/local/bin/node'])].filter((path) => existsSync(path));
}

/** The hooks of a test run, which reach every child through NODE_OPTIONS, are not what is tested here. */
const bare = ['-u', 'NODE_OPTIONS'];

t.test('the real command works on every Node of this machine', async (t) => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync('env', [...bare, process.execPath, compiler, '-b', 'cli'], { cwd: root });
  for (const node of nodesHere()) {
    const child = spawn('env', [...bare, node, join(bin, 'edgeward.js'), 'check', examplePolicies]);
    t.match(await endOf(child), { code: 0, err: '', out: /^no errors, no warnings in / }, node);
  }
  const flow = ['--from', '127.0.10.5', '--to', 'order-front', '--port', 'tcp/80'];
  const child = spawn('env', [...bare, join(bin, 'edgeward.js'), 'explain', examplePolicies, ...flow]);
  t.match(await endOf(child), { code: 3, err: '', out: /^DENY / }, 'by its first line');
});
