import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ensureSecret, readSecret, stateWriteError, unfinishedSuffix, writeDurably } from '../src/index.ts';

/** A folder that cannot be written, while `work` runs. Root may write everywhere, so it goes on as someone else. */
async function whileClosed(folder: string, work: () => Promise<unknown>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  chmodSync(folder, 0o500);
  if (isRoot) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(folder, 0o700);
  }
}

function* pieces(count: number): Generator<string> {
  for (let n = 0; n < count; n += 1) yield `line ${n} é\n`;
}

t.test('a file is replaced whole, with the mode that was asked for', async (t) => {
  const path = join(t.testdir({ 'state.json': 'old' }), 'state.json');
  await writeDurably(path, 'new');
  t.equal(readFileSync(path, 'utf8'), 'new');
  t.equal(statSync(path).mode & 0o777, 0o600);
  await writeDurably(path, new Uint8Array([65]), { mode: 0o644 });
  t.equal(readFileSync(path, 'utf8'), 'A');
  t.equal(statSync(path).mode & 0o777, 0o644);
});

t.test('an iterable longer than a chunk is written whole and in order', async (t) => {
  const path = join(t.testdir(), 'long');
  await writeDurably(path, pieces(200_000));
  t.equal(readFileSync(path, 'utf8'), [...pieces(200_000)].join(''));
});

t.test('a write that fails keeps the old content and leaves nothing behind', async (t) => {
  const dir = t.testdir({ state: 'old' });
  function* broken(): Generator<string> {
    yield 'half';
    throw new Error('the source broke');
  }
  await t.rejects(writeDurably(join(dir, 'state'), broken()), { message: 'the source broke' });
  t.equal(readFileSync(join(dir, 'state'), 'utf8'), 'old');
  t.strictSame(readdirSync(dir), ['state']);
});

t.test('what is no regular file is never replaced', async (t) => {
  const dir = t.testdir({ folder: {}, link: t.fixture('symlink', 'pipe') });
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  for (const name of ['folder', 'pipe', 'link']) {
    const refused = { code: 'EDW_ERR_STATE_WRITE', message: /it is no regular file/ };
    await t.rejects(writeDurably(join(dir, name), 'new'), refused, name);
  }
  t.ok(statSync(join(dir, 'pipe')).isFIFO());
  t.strictSame(readdirSync(dir).sort(), ['folder', 'link', 'pipe']);
});

t.test('a folder that cannot be written gives a coded error whose mend fits', async (t) => {
  const dir = t.testdir({ file: '', closed: {} });
  await t.rejects(writeDurably(join(dir, 'missing', 'x'), ''), {
    code: 'EDW_ERR_STATE_WRITE',
    mend: /Create the folder/,
  });
  await t.rejects(writeDurably(join(dir, 'file', 'x'), ''), { code: 'EDW_ERR_STATE_WRITE', mend: /is a file/ });
  const closed = { code: 'EDW_ERR_STATE_WRITE', mend: /chown or chmod/ };
  await whileClosed(join(dir, 'closed'), () => t.rejects(writeDurably(join(dir, 'closed', 'x'), ''), closed));
});

t.test('each failure of the system has its own mend', async (t) => {
  const table = { EROFS: /read-only/, EACCES: /chown/, ENOSPC: /full/, EDQUOT: /quota/, EIO: /Check the disk/ };
  for (const [code, mend] of Object.entries(table)) {
    const error = stateWriteError('/state', Object.assign(new Error(code), { code }));
    t.match(error, { code: 'EDW_ERR_STATE_WRITE', mend, message: `writing /state: ${code}` }, code);
  }
});

t.test('a secret is read without its one final newline', async (t) => {
  const path = join(t.testdir(), 'token');
  const table = [
    { content: 'abc\n', secret: 'abc' },
    { content: 'abc\r\n', secret: 'abc' },
    { content: 'abc', secret: 'abc' },
    { content: 'two\nlines\n\n', secret: 'two\nlines\n' },
  ];
  for (const { content, secret } of table) {
    writeFileSync(path, content, { mode: 0o600 });
    t.equal(await readSecret(path), secret, JSON.stringify(content));
  }
});

t.test('a secret that is missing, empty, too long, no file or open to everyone is refused', async (t) => {
  const dir = t.testdir({ empty: '\n', open: 'secret', long: 'x'.repeat(70_000), folder: {} });
  for (const name of ['empty', 'long']) chmodSync(join(dir, name), 0o600);
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  chmodSync(join(dir, 'open'), 0o604);
  const table = {
    missing: /ENOENT/,
    empty: /is empty/,
    long: /70000 bytes/,
    folder: /regular file/,
    pipe: /regular file/,
    open: /mode 0604/,
  };
  for (const [name, message] of Object.entries(table)) {
    await t.rejects(readSecret(join(dir, name)), { code: 'EDW_ERR_SECRET_FILE', message }, name);
  }
  const warnings: string[] = [];
  t.equal(await readSecret(join(dir, 'open'), { onExposed: (message) => warnings.push(message) }), 'secret');
  t.match(warnings, [/open to every user/]);
});

t.test('a secret that is missing is created once, and read from then on', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'new', 'token');
  const [first, second] = await Promise.all([ensureSecret(path), ensureSecret(path)]);
  t.match(first, /^[0-9a-f]{64}$/);
  t.equal(second, first, 'two that race get the same');
  t.equal(await ensureSecret(path), first);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.notOk(readdirSync(join(dir, 'new')).some((name) => name.endsWith(unfinishedSuffix)));
  t.match(await ensureSecret(join(dir, 'shared'), { bytes: 8, mode: 0o644 }), /^[0-9a-f]{16}$/);
  t.equal(statSync(join(dir, 'shared')).mode & 0o777, 0o644);
});

t.test('a damaged secret is not silently replaced', async (t) => {
  const dir = t.testdir({ token: '' });
  chmodSync(join(dir, 'token'), 0o600);
  await t.rejects(ensureSecret(join(dir, 'token')), { code: 'EDW_ERR_SECRET_FILE' });
  mkdirSync(join(dir, 'folder'));
  await t.rejects(ensureSecret(join(dir, 'folder')), { code: 'EDW_ERR_SECRET_FILE' });
});
