/** Reading a directory: what is found in which order, what is refused, and what stays the same object. */
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceDocument } from '@edgeward/policy';
import t from 'tap';
import { createDirectoryReader } from '../src/index.ts';

function names(documents: readonly SourceDocument[]): unknown[] {
  return documents.map((document) => (document.value as { name: unknown }).name);
}

/** Old enough that its signature is believed. */
function settle(path: string, seconds = 60): void {
  const when = Date.now() / 1000 - seconds;
  utimesSync(path, when, when);
}

t.test('files are read in the order of their bytes, with names relative to the directory', async (t) => {
  const dir = t.testdir({
    'b.yaml': 'name: b\n---\nname: b2\n',
    'a-b.yaml': 'name: a-b\n',
    'B.yaml': 'name: B\n',
    'ä.yaml': 'name: ae\n',
    a: { 'z.ndjson': '{"name":"z1"}\n{"name":"z2"}\n', deep: { 'x.yaml': 'name: x\n' } },
    'a.yaml': 'name: a\n',
    '.hidden.yaml': 'name: hidden\n',
    '.git': { 'x.yaml': 'name: git\n' },
    'README.md': 'name: readme\n',
    'empty.yaml': '',
  });
  const { documents, findings, files, changed } = await createDirectoryReader(dir).read();
  t.strictSame(files, [
    'B.yaml',
    'a-b.yaml',
    'a.yaml',
    'a/deep/x.yaml',
    'a/z.ndjson',
    'b.yaml',
    'empty.yaml',
    'ä.yaml',
  ]);
  t.strictSame(names(documents), ['B', 'a-b', 'a', 'x', 'z1', 'z2', 'b', 'b2', 'ae']);
  t.equal(documents[4]?.file, 'a/z.ndjson');
  t.strictSame(findings, []);
  t.equal(changed, true);
});

t.test('names that look like policy and are not read give a warning', async (t) => {
  const dir = t.testdir({ 'a.yml': '', 'b.json': '', 'c.YAML': '', 'd.jsonl': '', 'e.txt': '', f: { 'g.yml': '' } });
  const { findings } = await createDirectoryReader(dir).read();
  t.strictSame(
    findings.map(({ severity, code, file }) => `${severity} ${code} ${file}`),
    ['a.yml', 'b.json', 'c.YAML', 'd.jsonl', 'f/g.yml'].map((file) => `warning EDW_WARN_FILE_IGNORED ${file}`),
  );
});

t.test('a directory that cannot be read is an error, and the reader works again when it is back', async (t) => {
  const dir = join(t.testdir(), 'policies');
  const reader = createDirectoryReader(dir);
  await t.rejects(reader.read(), { code: 'EDW_ERR_POLICY_DIR', mend: /.{10}/ });
  writeFileSync(dir, 'a file');
  await t.rejects(reader.read(), { code: 'EDW_ERR_POLICY_DIR' });
  rmSync(dir);
  mkdirSync(dir);
  writeFileSync(join(dir, 'a.yaml'), 'name: a\n');
  t.strictSame(names((await reader.read()).documents), ['a']);
});

t.test('what is there and cannot be read is an error, never skipped', async (t) => {
  const dir = t.testdir({ 'bytes.yaml': '', 'lines.ndjson': '' });
  symlinkSync('nowhere', join(dir, 'broken.yaml'));
  symlinkSync('/dev/null', join(dir, 'device.yaml'));
  writeFileSync(join(dir, 'bytes.yaml'), Buffer.from('a: 1\nb: caf\xe9\n', 'latin1'));
  writeFileSync(join(dir, 'lines.ndjson'), Buffer.from('{"name":"x"}\n{"name":"\xff"}\n{"name":"y"}\n', 'latin1'));
  const { documents, findings } = await createDirectoryReader(dir).read();
  t.strictSame(names(documents), ['x', 'y']);
  t.strictSame(findings.map(({ code, file, line, column }) => `${code} ${file} ${line}:${column}`).sort(), [
    'EDW_ERR_FILE_UNREADABLE broken.yaml 1:1',
    'EDW_ERR_FILE_UNREADABLE device.yaml 1:1',
    'EDW_ERR_NOT_UTF8 bytes.yaml 2:7',
    'EDW_ERR_NOT_UTF8 lines.ndjson 2:10',
  ]);
});

t.test('a file without permission is an error until it has it', async (t) => {
  // Not below this checkout, which may itself be closed to everybody but root.
  const dir = mkdtempSync(join(tmpdir(), 'edgeward-unreadable-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, 'a.yaml'), 'name: a\n');
  settle(join(dir, 'a.yaml'));
  chmodSync(join(dir, 'a.yaml'), 0);
  const reader = createDirectoryReader(dir);
  t.match((await asNobody(() => reader.read())).findings, [{ code: 'EDW_ERR_FILE_UNREADABLE', file: 'a.yaml' }]);
  chmodSync(join(dir, 'a.yaml'), 0o600);
  t.strictSame(names((await reader.read()).documents), ['a']);
});

/** Root reads everything, so for a while it is somebody else. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

t.test('links are followed, and a loop of links is walked once', async (t) => {
  const dir = t.testdir({ outside: { 'x.yaml': 'name: x\n' }, policies: { sub: { 'y.yaml': 'name: y\n' } } });
  const policies = join(dir, 'policies');
  symlinkSync('../outside/x.yaml', join(policies, 'x.yaml'));
  symlinkSync('../outside', join(policies, 'linked'));
  symlinkSync('..', join(policies, 'sub', 'loop'));
  const { files, findings } = await createDirectoryReader(policies).read();
  t.strictSame(files, ['linked/x.yaml', 'sub/y.yaml', 'x.yaml']);
  t.match(findings, [{ code: 'EDW_WARN_FILE_IGNORED', file: 'sub/loop' }]);
});

t.test('what did not change is the same object', async (t) => {
  const dir = t.testdir({
    'a.yaml': 'name: a1\n---\nname: a2\n',
    'b.yaml': 'name: b\n',
    'i.ndjson': '{"name":"i0"}\n{"name":"i1"}\n{"name":"i2"}\n',
  });
  for (const name of ['a.yaml', 'b.yaml', 'i.ndjson']) settle(join(dir, name));
  const reader = createDirectoryReader(dir);
  const first = await reader.read();

  await t.test('when nothing happened', async (t) => {
    const again = await reader.read();
    t.equal(again.changed, false);
    t.equal(again.documents.length, 6);
    for (const [i, document] of again.documents.entries()) t.equal(document, first.documents[i]);
  });

  await t.test('when a file was only touched', async (t) => {
    settle(join(dir, 'a.yaml'), 30);
    const again = await reader.read();
    t.equal(again.changed, false);
    for (const [i, document] of again.documents.entries()) t.equal(document, first.documents[i]);
  });

  await t.test('line by line when a line changed, moved or went', async (t) => {
    writeFileSync(join(dir, 'i.ndjson'), '{"name":"i0"}\n\n{"name":"new"}\n{"name":"i1"}\n{"name":"i2"}\n');
    const { documents, changed } = await reader.read();
    t.equal(changed, true);
    t.strictSame(names(documents), ['a1', 'a2', 'b', 'i0', 'new', 'i1', 'i2']);
    for (const i of [0, 1, 2, 3]) t.equal(documents[i], first.documents[i]);
    t.equal(documents[5]?.value, first.documents[4]?.value);
    t.equal(documents[6]?.value, first.documents[5]?.value);
    t.equal(documents[6]?.locate([]).line, 5);
    t.equal(first.documents[5]?.locate([]).line, 3, 'an old reading keeps its places');
    writeFileSync(join(dir, 'i.ndjson'), '{"name":"i2"}\n{"name":"i0"}\n');
    const swapped = await reader.read();
    t.equal(swapped.documents[3]?.value, first.documents[5]?.value);
    t.equal(swapped.documents[4]?.value, first.documents[3]?.value);
  });

  await t.test('document by document in YAML', async (t) => {
    writeFileSync(join(dir, 'a.yaml'), 'name: a1\n---\n# more\nname: a3\n---\nname: a2\n');
    const { documents } = await reader.read();
    t.strictSame(names(documents).slice(0, 3), ['a1', 'a3', 'a2']);
    t.equal(documents[0], first.documents[0]);
    t.strictSame(documents[2]?.locate(['name']), { line: 6, column: 7 });
  });

  await t.test('when a file comes and goes', async (t) => {
    writeFileSync(join(dir, 'c.yaml'), 'name: c\n');
    t.equal((await reader.read()).changed, true);
    rmSync(join(dir, 'c.yaml'));
    const { documents, changed } = await reader.read();
    t.equal(changed, true);
    t.equal(documents[3], first.documents[2]);
    t.equal((await reader.read()).changed, false);
  });
});

t.test('an edit of equal size within one tick of the clock is not missed', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'name: 00\n' });
  const path = join(dir, 'a.yaml');
  const reader = createDirectoryReader(dir);
  const now = new Date();
  for (let i = 10; i < 30; i++) {
    writeFileSync(path, `name: n${i}\n`);
    utimesSync(path, now, now);
    const { documents, changed } = await reader.read();
    t.strictSame(names(documents), [`n${i}`]);
    t.equal(changed, true);
  }
});

t.test('findings come and go with their file', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'name: "a\n', 'i.ndjson': '{"name":"i"}\n{\n' });
  const reader = createDirectoryReader(dir);
  const first = await reader.read();
  t.strictSame(
    first.findings.map(({ code, file, line }) => `${code} ${file} ${line}`),
    ['EDW_ERR_YAML_SYNTAX a.yaml 1', 'EDW_ERR_JSON_SYNTAX i.ndjson 2'],
  );
  t.same((await reader.read()).findings, first.findings);
  writeFileSync(join(dir, 'i.ndjson'), '\n{"name":"i"}\n{\n');
  t.equal((await reader.read()).findings[1]?.line, 3);
  writeFileSync(join(dir, 'a.yaml'), 'name: a\n');
  rmSync(join(dir, 'i.ndjson'));
  const last = await reader.read();
  t.strictSame(last.findings, []);
  t.strictSame(names(last.documents), ['a']);
});

t.test('readings asked for at once come one after the other', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'name: a\n' });
  const reader = createDirectoryReader(dir);
  const readings = await Promise.all([reader.read(), reader.read(), reader.read()]);
  t.strictSame(
    readings.map(({ changed }) => changed),
    [true, false, false],
  );
});

t.test('no reading mixes two generations of a directory that is swapped by a link', async (t) => {
  const files = (name: string) => ({
    'a.yaml': `name: ${name}\n`,
    'b.yaml': `name: ${name}\n`,
    'c.yaml': `name: ${name}\n`,
  });
  const dir = t.testdir({ v0: files('v0'), v1: files('v1') });
  const link = join(dir, 'current');
  symlinkSync('v0', link);
  const reader = createDirectoryReader(link);
  for (let i = 1; i <= 50; i++) {
    const reading = reader.read();
    symlinkSync(`v${i % 2}`, join(dir, 'next'));
    renameSync(join(dir, 'next'), link);
    t.equal(new Set(names((await reading).documents)).size, 1);
  }
});

t.test('a hundred thousand lines are read, and only a changed one is parsed again', async (t) => {
  const lines = Array.from({ length: 100_000 }, (_, i) =>
    JSON.stringify({ kind: 'Workload', name: `w-${i}`, labels: { app: `a-${i % 100}` } }),
  );
  const dir = t.testdir();
  const path = join(dir, 'inventory.ndjson');
  writeFileSync(path, lines.join('\n'));
  const reader = createDirectoryReader(dir);
  const first = await reader.read();
  lines[70_000] = JSON.stringify({ kind: 'Workload', name: 'other', labels: {} });
  writeFileSync(path, lines.join('\n'));
  const second = await reader.read();
  t.equal(second.documents.length, 100_000);
  t.equal(second.documents.filter((document, i) => document !== first.documents[i]).length, 1);
});
