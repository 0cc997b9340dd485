/** Member pages: equal members are equal bytes, and nothing else is accepted as them. */
import assert from 'node:assert/strict';
import { bookFromPages, createMemberBook, digestOf, LIMITS, type MemberBook } from '@edgeward/policy-format';
import fc from 'fast-check';
import t from 'tap';

const A = 'g.00000000000000aa';
const B = 'g.ff000000000000bb';
const C = 'g.ff000000000000cc';

const pagesOf = (book: MemberBook): Buffer[] =>
  Array.from({ length: book.pageCount }, (_, number) => book.page(number).bytes);

const address = (number: number): string =>
  number % 3 === 0
    ? `2001:db8::${(number + 1).toString(16)}`
    : `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;

const addresses = (count: number): string[] => Array.from({ length: count }, (_, number) => address(number)).sort();

/** Everything that can be seen of a book. */
function shown(book: MemberBook): unknown {
  return {
    count: book.count,
    index: book.index().bytes.toString(),
    digest: book.index().digest,
    pages: pagesOf(book).map(String),
    members: [...book.groups()].sort().map((group) => [group, book.members(group)]),
  };
}

t.test('a book of nobody has an index and no page', async (t) => {
  const book = createMemberBook([[A, []]]);
  t.equal(book.index().bytes.toString(), '{"members":0,"pages":[],"typ":"edgeward-members/1"}');
  t.equal(book.index().digest, digestOf(book.index().bytes));
  t.strictSame([book.count, book.pageCount, book.members(A)], [0, 0, []]);
  t.strictSame(shown(bookFromPages(book.index().bytes, [], () => false)), shown(book));
});

t.test('a small book is one page of sorted lines', async (t) => {
  const book = createMemberBook([
    [B, ['10.0.0.9', '10.0.0.10', '2001:db8::1']],
    [A, ['10.0.0.9']],
  ]);
  const text = `${A}\t10.0.0.9\n${B}\t10.0.0.10\t10.0.0.9\t2001:db8::1\n`;
  t.strictSame(pagesOf(book).map(String), [text]);
  t.equal(
    book.index().bytes.toString(),
    `{"members":4,"pages":[{"bytes":${text.length},"digest":"${digestOf(text)}"}],"typ":"edgeward-members/1"}`,
  );
  t.strictSame(book.members(B), ['10.0.0.10', '10.0.0.9', '2001:db8::1']);
});

t.test('the number of pages is a power of two that follows the number of members', async (t) => {
  for (const [members, pages] of [
    [1, 1],
    [512, 1],
    [513, 2],
    [1024, 2],
    [1025, 4],
    [4097, 16],
  ] as const) {
    const book = createMemberBook([[A, addresses(members)]]);
    t.equal(book.pageCount, pages, `${members} members`);
    t.strictSame(shown(bookFromPages(book.index().bytes, pagesOf(book), () => true)), shown(book), `${members} read`);
  }
});

t.test('a change leaves the book it began from as it was, and shares the pages it did not touch', async (t) => {
  const before = createMemberBook([[A, addresses(4000)]]);
  const seen = shown(before);
  const after = before.change([{ op: 'members', group: A, add: ['192.0.2.1'], remove: [address(7)] }]);
  t.strictSame(shown(before), seen);
  const touched = pagesOf(after).filter((bytes, number) => bytes !== before.page(number).bytes);
  t.ok(touched.length >= 1 && touched.length <= 2, 'one page for each address');
});

t.test('whatever changes led to it, a book is the one of its members, byte for byte', async () => {
  const group = fc.constantFrom(A, B, C);
  // Many of few: so that removals meet members, and the power of two is crossed both ways.
  const step = fc.record({ group, picks: fc.uniqueArray(fc.nat(1300), { maxLength: 900, size: 'max' }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const truth = new Map<string, Set<string>>();
      let book = createMemberBook([]);
      /** One with lists, which a last hop has. */
      let listed = bookFromPages(book.index().bytes, [], () => true);
      for (const { group, picks } of steps) {
        const known = truth.get(group) ?? new Set<string>();
        truth.set(group, known);
        const picked = picks.map(address).sort();
        const add = picked.filter((it) => !known.has(it));
        const remove = picked.filter((it) => known.has(it));
        for (const it of add) known.add(it);
        for (const it of remove) known.delete(it);
        book = book.change([{ op: 'members', group, add, remove }]);
        listed = listed.change([{ op: 'members', group, add, remove }]);
      }
      const fresh = createMemberBook([...truth].map(([id, members]) => [id, [...members]]));
      assert.deepEqual(shown(book), shown(fresh));
      assert.deepEqual(shown(listed), shown(fresh));
      assert.deepEqual(shown(bookFromPages(book.index().bytes, pagesOf(book), () => true)), shown(fresh));
    }),
    { numRuns: 60 * Number(process.env.EDGEWARD_RUNS ?? 1) },
  );
});

t.test('a change that does not fit is refused, and says which', async (t) => {
  const book = createMemberBook([[A, ['10.0.0.1', '10.0.0.2']]]);
  const listed = bookFromPages(book.index().bytes, pagesOf(book), () => true);
  const change = (add: string[], remove: string[], group: string = A) => [
    { op: 'members' as const, group, add, remove },
  ];
  for (const [operations, message] of [
    [change(['10.0.0.1'], []), /10\.0\.0\.1 is a member already/],
    [change([], ['10.0.0.3']), /10\.0\.0\.3 is no member/],
    [change(['10.0.0.1'], ['10.0.0.1']), /member already/],
    [change(['10.0.0.9', '10.0.0.8'], []), /not in its place/],
    [change(['10.0.0.8', '10.0.0.8'], []), /not in its place/],
    [change(['10.0.0.08'], []), /plain form/],
    [change(['2001:DB8::1'], []), /plain form/],
    [change(['::ffff:10.0.0.8'], []), /plain form/],
    [change(['10.0.0.0/24'], []), /plain form/],
    [change(['10.0.0.8'], [], 'g.1'), /no group/],
    [change(['10.0.0.8'], [], '__proto__'), /no group/],
    [[...change(['10.0.0.8'], []), ...change(['10.0.0.9'], [])], /not in its place/],
    [[...change(['10.0.0.8'], [], B), ...change(['10.0.0.9'], [])], /not in its place/],
    [change([...new Set([...addresses(100), '10.0.0.1'])].sort(), []), /10\.0\.0\.1 is a member already/],
    [change([], addresses(100)), /is no member/],
  ] as const)
    for (const [kind, it] of Object.entries({ pages: book, lists: listed }))
      t.throws(() => it.change(operations), { code: 'EDW_ERR_FORMAT_DELTA', message }, `${kind}: ${message}`);
});

t.test('pages that are not the members of the index are refused', async (t) => {
  const book = createMemberBook([
    [A, addresses(700)],
    [B, ['10.0.0.1']],
  ]);
  const [first, second] = pagesOf(book) as [Buffer, Buffer];
  const index = (members: number, pages: Uint8Array[], more: object = {}): Buffer => {
    const blobs = pages.map((bytes) => ({ bytes: bytes.length, digest: digestOf(bytes) }));
    return Buffer.from(JSON.stringify({ members, pages: blobs, typ: 'edgeward-members/1', ...more }));
  };
  const one = (text: string, members = 1): [Buffer, Buffer[]] => [
    index(members, [Buffer.from(text)]),
    [Buffer.from(text)],
  ];
  const flipped = Buffer.from(first);
  flipped.writeUInt8(flipped.readUInt8(30) ^ 1, 30);
  const cases: [string, Buffer, Buffer[], string][] = [
    ['a flipped bit', book.index().bytes, [flipped, second], 'DIGEST'],
    ['a cut page', book.index().bytes, [first.subarray(0, -1), second], 'DIGEST'],
    ['pages swapped', book.index().bytes, [second, first], 'DIGEST'],
    ['pages swapped in the index as well', index(701, [second, first]), [second, first], 'PAGE'],
    ['a page missing', book.index().bytes, [first], 'INDEX'],
    ['a page too many', index(701, [first, second, second]), [first, second, second], 'INDEX'],
    ['a number too small', index(700, [first, second]), [first, second], 'INDEX'],
    ['a number below nothing', index(-1, []), [], 'INDEX'],
    ['a number that is none', index(0.5, []), [], 'INDEX'],
    ['more members than can be', index(LIMITS.members + 1, []), [], 'INDEX'],
    ['another kind', index(0, [], { typ: 'edgeward-members/2' }), [], 'INDEX'],
    ['a key too many', Buffer.from('{"members":0,"more":1,"pages":[],"typ":"edgeward-members/1"}'), [], 'INDEX'],
    ['white space', Buffer.from('{ "members":0,"pages":[],"typ":"edgeward-members/1"}'), [], 'NOT_CANONICAL'],
    ['more bytes than the members could have', ...one(`${A}\t10.0.0.1${'\t10.0.0.1'.repeat(20)}\n`), 'INDEX'],
    ['no end of the last line', ...one(`${A}\t10.0.0.1`), 'PAGE'],
    ['an empty line', ...one(`${A}\t10.0.0.1\n\n`), 'PAGE'],
    ['a group twice', ...one(`${A}\t10.0.0.1\n${A}\t10.0.0.2\n`, 2), 'PAGE'],
    ['groups not in order', ...one(`${B}\t10.0.0.1\n${A}\t10.0.0.2\n`, 2), 'PAGE'],
    ['an address twice', ...one(`${A}\t10.0.0.1\t10.0.0.1\n`, 2), 'PAGE'],
    ['addresses not in order', ...one(`${A}\t10.0.0.2\t10.0.0.1\n`, 2), 'PAGE'],
    ['a group without a member', ...one(`${A}\n`, 1), 'PAGE'],
    ['an address with a zero before', ...one(`${A}\t10.0.0.01\n`), 'PAGE'],
    ['an address in capitals', ...one(`${A}\t2001:DB8::1\n`), 'PAGE'],
    ['a range', ...one(`${A}\t10.0.0.0/24\n`), 'PAGE'],
    ['bytes that are no ASCII', ...one(`${A}\t10.0.0.1é\n`), 'PAGE'],
    ['a return before the end of the line', ...one(`${A}\t10.0.0.1\r\n`), 'PAGE'],
    ['a group that no rule names', ...one(`${C}\t10.0.0.1\n`), 'PAGE'],
    ['no group', ...one(`g.__proto__\t10.0.0.1\n`), 'PAGE'],
  ];
  for (const [name, bytes, pages, code] of cases)
    t.throws(() => bookFromPages(bytes, pages, (group) => group !== C), { code: `EDW_ERR_FORMAT_${code}` }, name);
});
