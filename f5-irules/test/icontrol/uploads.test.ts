/** Files that a box gets in chunks: whole as they are, made again from their start when cut, or not at all. */
import { createHash, randomBytes } from 'node:crypto';
import type { FaultKind } from '@edgeward/bigip-simulator';
import t from 'tap';
import { startBox } from './fixtures/simulated.ts';
import { sourceOf, uploaded } from './fixtures/uploaded.ts';

t.test('an upload of any size in any pieces arrives as it is', async (t) => {
  const { client, unit, lines } = await startBox(t);
  const box = client();
  const chunk = 512 * 1024;
  for (const [name, size, pieceBytes] of [
    ['one', 1, 1],
    ['exact', chunk, chunk],
    ['longer', chunk + 1, 1000],
    ['large', 3 * chunk - 7, 700_001],
  ] as const) {
    const from = unit.calls().length;
    const bytes = randomBytes(size);
    t.equal(await box.upload(name, size, inPieces(bytes, pieceBytes)), `file:/var/config/rest/downloads/${name}`);
    t.equal(lines(from).length, Math.ceil(size / chunk), name);
  }
  const text = '"a" := "1",\n'.repeat(60_000);
  await box.create('tm/sys/file/data-group', await uploaded(box, 'f', text));
  const sha1 = createHash('sha1').update(text).digest('hex');
  t.match(await box.get('tm/sys/file/data-group/~Edgeward~f'), { checksum: `SHA1:${text.length}:${sha1}` });
});

t.test('an upload that is cut is made again from its start, once', async (t) => {
  const text = '"a" := "1",\n'.repeat(130_000);
  const bytes = Buffer.from(text);
  for (const kind of ['reset', 'reset-after', 'timeout-500'] as FaultKind[]) {
    const { client, unit } = await startBox(t);
    const box = client();
    unit.inject({ kind, path: '/uploads/', after: 1 });
    await box.upload('f', bytes.length, inPieces(bytes, 100_000));
    await box.create('tm/sys/file/data-group', sourceOf('f'));
    const checksum = `SHA1:${bytes.length}:${createHash('sha1').update(bytes).digest('hex')}`;
    t.match(await box.get('tm/sys/file/data-group/~Edgeward~f'), { checksum }, kind);
    unit.inject({ kind, path: '/uploads/', after: 1, times: 2 });
    // One that goes well lies between them: the first chunk of the second attempt.
    unit.inject({ kind, path: '/uploads/', times: 9, after: 1 });
    await t.rejects(
      box.upload('g', bytes.length, inPieces(bytes, 100_000)),
      { code: 'EDW_ERR_POINT_UNREACHABLE' },
      kind,
    );
    await box.close();
  }
});

t.test('pieces that can not be had twice are not sent again', async (t) => {
  const { client, unit, lines } = await startBox(t);
  const box = client();
  unit.inject({ kind: 'reset', path: '/uploads/' });
  const once = (function* () {
    yield Buffer.from('x');
  })();
  await t.rejects(box.upload('f', 1, once), { code: 'EDW_ERR_POINT_UNREACHABLE' });
  t.equal(lines().length, 1);
});

t.test('a file that is not what was announced is not sent to its end', async (t) => {
  const { client } = await startBox(t);
  const box = client();
  for (const [name, total, text] of [
    ['short', 5, 'abc'],
    ['long', 2, 'abc'],
    ['empty', 0, ''],
    ['', 1, 'a'],
    ['..', 1, 'a'],
    ['../x', 1, 'a'],
    ['a b', 1, 'a'],
    ['-rf', 1, 'a'],
    ['$(id)', 1, 'a'],
    ['x\n', 1, 'a'],
    ['x'.repeat(300), 1, 'a'],
    ['nan', Number.NaN, 'a'],
  ] as const) {
    await t.rejects(
      box.upload(name, total, [Buffer.from(text)]),
      { code: 'EDW_ERR_BIGIP_UPLOAD' },
      JSON.stringify(name),
    );
  }
});

/** Reads from the start each time. */
function inPieces(bytes: Uint8Array, size: number): Iterable<Uint8Array> {
  return {
    *[Symbol.iterator]() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}
