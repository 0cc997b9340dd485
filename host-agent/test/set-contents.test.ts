/** When a set is read, and when its count is enough: by the size, the count and the time. */
import t from 'tap';
import { createNetfilter, type RunTool } from '../driver/index.ts';
import { setOf } from '../driver/layout/sets.ts';
import { createSetContents } from '../driver/set-contents.ts';

const membersOf = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => `10.${(n + from) >> 8}.${(n + from) & 255}.0/24`);
const large = setOf('inet', 'hash:net', membersOf(5000));
const small = setOf('inet', 'hash:net', membersOf(3));
const MINUTE_MS = 60_000;

t.test(
  'a large set is read once, and again when its count moved, after a while, or when the clock was set',
  async (t) => {
    let [reads, nowMs] = [0, 10 * MINUTE_MS];
    const held = new Map([large, small].map(({ name, members }) => [name, [...members]]));
    const run: RunTool = async ({ args: [, set = ''] }) => {
      reads += 1;
      return {
        status: 0,
        stdout: (held.get(set) ?? []).map((member) => `add ${set} ${member}\n`).join(''),
        stderr: '',
      };
    };
    const contents = createSetContents(createNetfilter('nft', run), () => nowMs);
    const isWhole = ({ name, type, maxelem, digest }: typeof large): Promise<boolean> =>
      contents.isWhole({ name, type, maxelem, entries: held.get(name)?.length ?? 0, references: 1 }, digest);
    const look = async (set: typeof large): Promise<[boolean, number]> => {
      const before = reads;
      return [await isWhole(set), reads - before];
    };
    t.strictSame(await look(large), [true, 1], 'never read');
    t.strictSame(await look(large), [true, 0], 'just read');
    t.strictSame(
      [await look(small), await look(small)],
      [
        [true, 1],
        [true, 1],
      ],
      'a small one is read each time',
    );
    held.get(large.name)?.pop();
    t.strictSame(await look(large), [false, 1], 'it counts fewer');
    held.set(large.name, membersOf(5000, 1));
    t.strictSame(await look(large), [false, 1], 'it counts as many, and has others');
    contents.filled(large.name, large.digest, large.members);
    t.strictSame(await look(large), [true, 0], 'just filled');
    nowMs += 4 * MINUTE_MS;
    t.strictSame(await look(large), [false, 1], 'after four minutes');
    contents.filled(large.name, large.digest, large.members);
    nowMs -= 9 * MINUTE_MS;
    t.strictSame(await look(large), [false, 1], 'the clock was set back');
  },
);
