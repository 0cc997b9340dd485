import fc from 'fast-check';
import t from 'tap';
import { splitLines } from '../src/line-splitter.ts';

/** Reads as the log file does: always from the first byte not consumed, with what is there by then. */
function linesOf(content: Buffer, sizes: readonly number[], window: number, maxLineBytes: number): string[] {
  const lines: string[] = [];
  let offset = 0;
  let skipping = false;
  const ends = [...sizes.map((size) => Math.min(size, content.length)).sort((a, b) => a - b), content.length];
  for (const end of ends) {
    for (let moved = true; moved; ) {
      const chunk = content.subarray(offset, Math.min(end, offset + window));
      const split = splitLines(chunk, skipping, { maxLines: 3, maxLineBytes });
      lines.push(...split.lines.map((line) => line.toString('latin1')));
      moved = split.consumed > 0;
      offset += split.consumed;
      skipping = split.skipping;
    }
  }
  return lines;
}

t.test('lines are the same whatever the boundaries at which they arrive', async () => {
  const bytes = fc.array(fc.oneof(fc.constant(10), fc.integer({ min: 0, max: 255 })), { maxLength: 200 });
  const sizes = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 20 });
  fc.assert(
    fc.property(
      bytes,
      sizes,
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 1, max: 40 }),
      (raw, at, max, more) => {
        const content = Buffer.from([...raw, 10]);
        const whole = content.toString('latin1').split('\n').slice(0, -1);
        const expected = whole.map((line) => line.slice(0, max + 1));
        const found = linesOf(content, at, max + more, max);
        return JSON.stringify(found) === JSON.stringify(expected);
      },
    ),
    { numRuns: 2_000 },
  );
});

t.test('an overlong line is handed out once, cut just past the limit, and its rest is skipped', async (t) => {
  const limits = { maxLines: 10, maxLineBytes: 4 };
  const first = splitLines(Buffer.from('ab\n1234567'), false, limits);
  t.strictSame(first.lines.map(String), ['ab', '12345']);
  t.match(first, { consumed: 10, skipping: true });
  const second = splitLines(Buffer.from('89\ncd\nef'), true, limits);
  t.strictSame(second.lines.map(String), ['cd']);
  t.match(second, { consumed: 6, skipping: false });
  t.match(splitLines(Buffer.from('still'), true, limits), { lines: [], consumed: 5, skipping: true });
});
