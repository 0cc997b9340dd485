/** Deltas: what leads from one state to another, and what several of them come to. */
import assert from 'node:assert/strict';
import {
  canonicalJson,
  composeOperations,
  createMemberBook,
  type DeltaOperation,
  deltaBytes,
  deltaFrom,
  deltaOf,
  LIMITS,
  type MemberBook,
  operationsBetween,
} from '@edgeward/policy-format';
import fc from 'fast-check';
import t from 'tap';
import { search } from '../../policy/test/runs.ts';
import { createSignedWorld, simpleGroup, simpleSlices } from '../../test/kit/signed-world.ts';

const GROUPS = ['g.00000000000000aa', 'g.00000000000000bb', 'g.ff000000000000cc'];

/** Few addresses in few groups, so that what one step adds another removes. */
const arbitraryBook: fc.Arbitrary<MemberBook> = fc
  .tuple(...GROUPS.map(() => fc.subarray(['10.0.0.1', '10.0.0.10', '10.0.0.2', '2001:db8::1'])))
  .map((lists) => createMemberBook(GROUPS.map((group, at) => [group, lists[at] ?? []] as const)));

const shown = (book: MemberBook): unknown => [book.index().digest, GROUPS.map((group) => book.members(group))];

t.test('the operations between two books make the second of the first', async (t) => {
  fc.assert(
    fc.property(arbitraryBook, arbitraryBook, (before, after) => {
      const operations = operationsBetween(before, after);
      assert.deepEqual(shown(before.change(operations)), shown(after));
      assert.deepEqual(
        operations.filter(({ add, remove }) => add.length + remove.length === 0),
        [],
      );
    }),
    search(t, 200),
  );
});

t.test('many deltas composed are the delta from the first state to the last', async (t) => {
  fc.assert(
    fc.property(fc.array(arbitraryBook, { minLength: 2, maxLength: 8 }), (books) => {
      const steps = books.slice(1).map((book, at) => operationsBetween(books[at] as MemberBook, book));
      const direct = operationsBetween(books[0] as MemberBook, books.at(-1) as MemberBook);
      assert.deepEqual(composeOperations(steps), direct);
    }),
    search(t, 200),
  );
});

t.test('deltas that do not follow one another are not composed', async (t) => {
  const add: DeltaOperation[] = [{ op: 'members', group: GROUPS[0] as string, add: ['10.0.0.1'], remove: [] }];
  t.throws(() => composeOperations([add, add]), { code: 'EDW_ERR_FORMAT_DELTA' });
});

t.test('a delta is read as it was written, and in no other form', async (t) => {
  const store = await createSignedWorld();
  await store.publish(simpleSlices());
  const from = { epoch: 1, revision: 1, stateRoot: store.at('edge-1').head.stateRoot };
  await store.move({ [simpleGroup()]: ['10.30.0.1'] });
  const delta = store.delta('edge-1', from);
  if (delta === null) throw new Error('there is no delta');
  const bytes = deltaBytes(delta);
  t.strictSame(deltaFrom(bytes), delta);
  t.strictSame(
    JSON.parse(bytes.toString()).head.payload,
    JSON.parse(Buffer.from(delta.head.payload, 'base64url').toString()),
    'the payload of its head is a value in it',
  );
  const operation = delta.operations[0] as DeltaOperation;
  const none = { ...operation, add: [], remove: [] };
  for (const [name, change] of [
    ['a key too many', { more: 1 }],
    ['another kind', { typ: 'edgeward-delta/2' }],
    ['no cursor', { from: null }],
    ['an operation that is not known', { operations: [{ ...operation, op: 'rules' }] }],
    ['an operation that changes nothing', { operations: [none] }],
    ['a group twice', { operations: [operation, operation] }],
    ['no group', { operations: [{ ...operation, group: '../x' }] }],
    ['an address as long as a novel', { operations: [{ ...operation, add: ['1'.repeat(40)] }] }],
  ] as const)
    t.throws(() => deltaOf({ ...delta, ...change }), { code: 'EDW_ERR_FORMAT_DELTA' }, name);
  t.throws(() => deltaOf({ ...delta, head: {} }), { code: 'EDW_ERR_FORMAT_SIGNED' });
  const { head } = JSON.parse(bytes.toString());
  const large = { ...head, payload: { ...head.payload, requires: ['x'.repeat(LIMITS.headBytes)] } };
  const sent = Buffer.from(canonicalJson({ ...delta, head: large }));
  t.throws(() => deltaFrom(sent), { code: 'EDW_ERR_FORMAT_TOO_LARGE' }, 'before anything else is asked of it');
  t.throws(() => deltaFrom(Buffer.from(`${canonicalJson(delta)} `)), { code: 'EDW_ERR_FORMAT_NOT_CANONICAL' });
});
