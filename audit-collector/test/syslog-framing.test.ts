import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { createSyslogFraming, type Frame, maxMessageBytes } from '../src/syslog-framing.ts';
import { denyMessage, search } from './kit.ts';

type Shown = [kind: Frame['kind'], text: string];

const shown = (frame: Frame): Shown => [
  frame.kind,
  (frame.kind === 'message' ? frame.bytes : frame.head).toString('latin1'),
];

/** Everything that the chunks give, as a connection would ask for it. */
function framesOf(chunks: Iterable<Buffer>, maxBytes?: number, mostHeld = (_bytes: number): void => {}): Shown[] {
  const framing = createSyslogFraming(maxBytes);
  const frames: Shown[] = [];
  for (const chunk of chunks) {
    framing.push(chunk);
    for (let frame = framing.next(); frame !== null; frame = framing.next()) frames.push(shown(frame));
    mostHeld(framing.heldBytes());
  }
  const rest = framing.end();
  return rest === null ? frames : [...frames, shown(rest)];
}

function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

const counted = (text: string): string => `${Buffer.byteLength(text)} ${text}`;

t.test('both framings of RFC 6587 are told apart frame by frame, whatever the chunks', async (t) => {
  const table: [name: string, stream: string, frames: Shown[]][] = [
    [
      'lines',
      '<1>a\n<2>b\n',
      [
        ['message', '<1>a'],
        ['message', '<2>b'],
      ],
    ],
    [
      'carriage returns and NULs',
      '<1>a\r\n<2>b\0\n<3>c\n\0\0<4>d\r\0\n',
      ['a', 'b', 'c', 'd'].map((x, i) => ['message', `<${i + 1}>${x}`]),
    ],
    [
      'counts',
      `${counted('<1>a')}${counted('<2>b\nc')}`,
      [
        ['message', '<1>a'],
        ['message', '<2>b\nc'],
      ],
    ],
    [
      'a count of a frame with its newline',
      '5 <1>a\n4 <2>b',
      [
        ['message', '<1>a'],
        ['message', '<2>b'],
      ],
    ],
    [
      'a newline behind a counted frame',
      '4 <1>a\n4 <2>b\r\n<3>c\n',
      [
        ['message', '<1>a'],
        ['message', '<2>b'],
        ['message', '<3>c'],
      ],
    ],
    [
      'by turns',
      `<1>a\n${counted('<2>b')}<3>c\n${counted('<4>d')}`,
      [
        ['message', '<1>a'],
        ['message', '<2>b'],
        ['message', '<3>c'],
        ['message', '<4>d'],
      ],
    ],
    ['bytes, not characters', counted('<1>é\u{1F600}'), [['message', Buffer.from('<1>é\u{1F600}').toString('latin1')]]],
    [
      'a count without a space is a line',
      '12<1>a\n<2>b\n',
      [
        ['message', '12<1>a'],
        ['message', '<2>b'],
      ],
    ],
    ['a count with a leading zero is a line', '04 <1>a\n', [['message', '04 <1>a']]],
    [
      'more digits than a length has',
      '10000000 <1>a\n<2>b\n',
      [
        ['message', '10000000 <1>a'],
        ['message', '<2>b'],
      ],
    ],
    [
      'a count that is too small goes on at the next newline',
      '3 <1>abc\n<2>b\n',
      [
        ['message', '<1>'],
        ['message', 'abc'],
        ['message', '<2>b'],
      ],
    ],
    [
      'a line past the limit',
      `<1>${'x'.repeat(40)}\n<2>b\n`,
      [
        ['too-long', `<1>${'x'.repeat(30)}`],
        ['message', '<2>b'],
      ],
    ],
    [
      'a count past the limit',
      `${counted(`<1>${'x\n'.repeat(40)}`)}<2>b\n`,
      [
        ['too-long', '83 '],
        ['message', '<2>b'],
      ],
    ],
    [
      'just as long as the limit',
      `${'x'.repeat(32)}\n${counted('y'.repeat(32))}`,
      [
        ['message', 'x'.repeat(32)],
        ['message', 'y'.repeat(32)],
      ],
    ],
    [
      'a last line without its newline',
      '<1>a\n<2>b',
      [
        ['message', '<1>a'],
        ['message', '<2>b'],
      ],
    ],
    [
      'a last frame cut short',
      '<1>a\n9 <2>b',
      [
        ['message', '<1>a'],
        ['torn', '9 <2>b'],
      ],
    ],
    [
      'a last count cut short',
      '<1>a\n12',
      [
        ['message', '<1>a'],
        ['message', '12'],
      ],
    ],
    ['an end inside what is skipped', `${counted('x'.repeat(50)).slice(0, 20)}`, [['too-long', '50 ']]],
    ['nothing but ends', '\n\r\n\0\0\n', []],
    ['no count at all', '0 \n', [['message', '0 ']]],
  ];
  for (const [name, stream, frames] of table) {
    const bytes = Buffer.from(stream);
    for (const size of [1, 2, 3, 7, 1_000])
      t.strictSame(framesOf(pieces(bytes, [size]), 32), frames, `${name}, ${size}`);
  }
});

t.test('a message of 64 KiB passes, one byte more does not', async (t) => {
  const most = `<134>1 ${'x'.repeat(maxMessageBytes - 7)}`;
  for (const frame of [`${most}\n`, counted(most)]) {
    t.strictSame(
      framesOf(pieces(Buffer.from(`${frame}<1>a\n`), [1_448])).map(([kind, text]) => [kind, text.length]),
      [
        ['message', maxMessageBytes],
        ['message', 4],
      ],
    );
  }
  for (const frame of [`${most}x\n`, counted(`${most}x`)]) {
    const frames = framesOf(pieces(Buffer.from(`${frame}<1>a\n`), [1_448]));
    t.strictSame(
      frames.map(([kind]) => kind),
      ['too-long', 'message'],
    );
    t.ok((frames[0]?.[1].length ?? 0) <= 1_024, 'its head is bounded');
  }
});

t.test('any cutting into chunks gives the same messages', async (t) => {
  const text = fc.oneof(
    fc.nat({ max: 400 }).map((n) => denyMessage({ seq: n + 1 })),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).map((rest) => `<1>1 ${rest.replace(/[\n\r\0]/g, ' ')}x`),
  );
  const frame = fc.record({ text, framing: fc.constantFrom('\n', '\r\n', '\0\n', 'counted', 'counted\n') });
  const sizes = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), sizes, (frames, sizes) => {
      const stream = frames.map(({ text, framing }) => {
        if (framing.startsWith('counted')) return counted(text) + framing.slice('counted'.length);
        return text + framing;
      });
      const expected = frames.map(({ text }): Shown => ['message', Buffer.from(text).toString('latin1')]);
      assert.deepEqual(framesOf(pieces(Buffer.from(stream.join('')), sizes)), expected);
    }),
    search(t, 300),
  );
});

t.test('no bytes break it, and what it holds is bounded', async (t) => {
  const byte = fc.oneof(fc.constantFrom(...Buffer.from('\n\r\0 0123456789<>')), fc.integer({ min: 0, max: 255 }));
  const sizes = fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 600 }), sizes, (values, sizes) => {
      const bytes = Buffer.from(values);
      let most = 0;
      const frames = framesOf(pieces(bytes, sizes), 48, (held) => {
        most = Math.max(most, held);
      });
      assert.deepEqual(frames, framesOf([bytes], 48), 'as when it comes at once');
      assert.ok(most <= 2 * (48 + 8 + 200), 'twice a frame and a chunk');
      const bounded = frames.every(([kind, text]) => text.length <= (kind === 'message' ? 48 : 49));
      assert.ok(bounded, 'nothing longer than the limit comes out');
    }),
    search(t, 500),
  );
});

t.test('a byte at a time, endless lines and counts cost no more than their bytes', async (t) => {
  let most = 0;
  const endless = function* (): Generator<Buffer> {
    for (let i = 0; i < 100; i += 1) yield Buffer.alloc(65_536, i % 2 === 0 ? 'x' : '7');
    yield Buffer.from('\n');
    for (let i = 0; i < 70_000; i += 1) yield Buffer.from('y');
  };
  const frames = framesOf(endless(), maxMessageBytes, (held) => {
    most = Math.max(most, held);
  });
  t.strictSame(
    frames.map(([kind]) => kind),
    ['too-long', 'too-long'],
  );
  t.ok(most <= 4 * (maxMessageBytes + 8), `at most ${most} bytes were held`);
});
