import { execFileSync } from 'node:child_process';
import { cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, LIMITS } from '@edgeward/policy-format';
import t from 'tap';
import { createFileTransport } from '../src/index.ts';
import { NEVER } from './conformance/hop.ts';
import { thrownBy } from './conformance/patience.ts';
import { transportConformance } from './conformance.ts';
import { openMirror } from './fixtures/mirror.ts';

await transportConformance(t, 'a folder', async (t) => {
  const { world, change, decide, clock, point, folder, write } = await openMirror(t);
  const transport = createFileTransport({ folder, lookMs: 50 });
  const away = `${folder}.away`;
  let isCut = false;
  const written = (step: () => Promise<void>) => async () => {
    await step();
    await write(isCut ? away : folder);
  };
  return {
    transport,
    pinned: world.pinned,
    point,
    unknownPoint: 'edge-99',
    clock,
    change: written(change),
    decide: written(decide),
    head: () => world.head(point),
    async cut() {
      await rename(folder, away);
      isCut = true;
    },
    async heal() {
      if (isCut) await rename(away, folder);
      isCut = false;
      await write(folder);
    },
    async tamper(digest, bytes) {
      const path = join(folder, 'blobs', 'sha256', digest);
      if (bytes === null) await rm(path);
      else await writeFile(path, bytes);
    },
    reports: null,
    misbehave: {
      'not JSON': () => writeFile(join(folder, 'heads', `${point}.json`), 'no head'),
      'half a head': () =>
        writeFile(join(folder, 'heads', `${point}.json`), canonicalJson(world.head(point)).slice(0, 500)),
      huge: () => writeFile(join(folder, 'heads', `${point}.json`), Buffer.alloc(64 * 1024 * 1024, 0x20)),
    },
  };
});

t.test('no link leads out of the folder, and one within it is followed', async (t) => {
  const { folder, world, point } = await openMirror(t);
  const transport = createFileTransport({ folder });
  const outside = join(folder, '..', 'outside');
  await cp(folder, outside, { recursive: true });
  const head = join(folder, 'heads', `${point}.json`);
  const ask = () => transport.next(point, null, { waitMs: 0, signal: NEVER });

  await rm(head);
  await symlink(join(outside, 'heads', `${point}.json`), head);
  t.match(await thrownBy('a link to a file outside', ask), { code: 'EDW_ERR_STORE_ANSWER', message: /leads out/ });

  await rm(join(folder, 'heads'), { recursive: true });
  await symlink(join(outside, 'heads'), join(folder, 'heads'));
  t.match(await thrownBy('a link to a folder outside', ask), { code: 'EDW_ERR_STORE_ANSWER', message: /leads out/ });

  await rm(join(folder, 'heads'));
  await cp(join(outside, 'heads'), join(folder, '..data', 'heads'), { recursive: true });
  await symlink(join('..data', 'heads'), join(folder, 'heads'));
  t.match(await ask(), { state: 'head', head: world.head(point) });
});

t.test('what is no regular file is refused, and nothing waits for it', async (t) => {
  const { folder, point } = await openMirror(t);
  const transport = createFileTransport({ folder });
  const head = join(folder, 'heads', `${point}.json`);
  const ask = () => transport.next(point, null, { waitMs: 0, signal: NEVER });
  await rm(head);
  execFileSync('mkfifo', [head]);
  t.equal((await thrownBy('a pipe', ask)).code, 'EDW_ERR_STORE_ANSWER');
  await rm(head);
  await mkdir(head);
  t.equal((await thrownBy('a folder', ask)).code, 'EDW_ERR_STORE_ANSWER');
});

t.test('a folder that is not there yet is away, and one without the point is not', async (t) => {
  const { folder, point, write } = await openMirror(t);
  await rm(folder, { recursive: true });
  const transport = createFileTransport({ folder });
  const ask = () => transport.next(point, null, { waitMs: 0, signal: NEVER });
  t.equal((await thrownBy('no folder', ask)).code, 'EDW_ERR_STORE_UNREACHABLE');
  await mkdir(folder);
  t.equal((await thrownBy('an empty folder', ask)).code, 'EDW_ERR_STORE_NO_POINT');
  await write(folder);
  t.equal((await ask()).state, 'head');
});

t.test('a blob is asked for by a digest and by nothing else', async (t) => {
  const { folder } = await openMirror(t);
  const transport = createFileTransport({ folder });
  await writeFile(join(folder, 'secret'), 'nobody reads this');
  for (const name of ['../../secret', '', 'A'.repeat(64), `${'a'.repeat(63)}/`])
    t.equal(await transport.blob(name, LIMITS.rulesBytes, NEVER), null, name);
  for (const version of [0, -1, 1.5, Number.NaN, 1e21]) t.equal(await transport.root(version, NEVER), null);
});
