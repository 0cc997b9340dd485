/** Whatever a store does and however a point follows it, it holds in the end what a point holds that begins now. */
import assert from 'node:assert/strict';
import { restoreState, rulesBytes, sliceBytes } from '@edgeward/policy-format';
import fc from 'fast-check';
import t from 'tap';
import { search } from '../../policy/test/runs.ts';
import {
  createLastHop,
  createSignedWorld,
  type LastHop,
  type SignedWorld,
  seededKey,
  simpleGroup,
  simpleSlices,
} from '../../test/kit/signed-world.ts';

const GROUP = simpleGroup();
const POINT = 'edge-1';
const HOUR_MS = 3_600_000;

type Deed =
  | { do: 'move'; addresses: string[] }
  | { do: 'publish'; id: string; returnable: boolean }
  | { do: 'break-glass' }
  | { do: 'return' }
  | { do: 'refresh' }
  | { do: 'store-key'; seed: string }
  | { do: 'epoch' };

/** What the point that skips at will does after it. */
type Follow = 'nothing' | 'head' | 'delta' | 'restart';

const arbitraryDeed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 4, arbitrary: fc.subarray(many(40)).map((addresses): Deed => ({ do: 'move', addresses })) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      id: fc.constantFrom('a', 'b', 'c'),
      returnable: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Deed>({ do: 'break-glass' }, { do: 'return' }, { do: 'refresh' }, { do: 'epoch' }),
  },
  { weight: 1, arbitrary: fc.constantFrom('x', 'y').map((seed): Deed => ({ do: 'store-key', seed })) },
);

function many(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `10.30.0.${at}`).sort();
}

async function perform(store: SignedWorld, deed: Deed): Promise<void> {
  const { approval } = store.at(POINT).version;
  switch (deed.do) {
    case 'move':
      return store.move({ [GROUP]: deed.addresses });
    case 'publish':
      await store.publish(simpleSlices(undefined, { id: deed.id }), deed.returnable ? { returnMs: HOUR_MS } : {});
      return;
    case 'break-glass':
      // Upon another one it would be refused, and rightly.
      if (approval.breakGlass === null) await store.publish(simpleSlices(), { breakGlassMs: HOUR_MS });
      return;
    case 'return':
      if (approval.returnUntil !== null) await store.returnPoints([POINT]);
      return;
    case 'refresh':
      return store.refresh();
    case 'epoch':
      await store.changeRoot((root) => ({ ...root, epoch: root.epoch + 1 }));
      return store.move({ [GROUP]: [`10.30.9.${store.revision % 256}`] });
    case 'store-key': {
      const key = await seededKey(`${deed.seed} ${store.root.version}`);
      await store.changeRoot((root) => ({ ...root, storeKeys: [key.publicKey] }));
      store.useStoreKey(key);
      return store.refresh();
    }
  }
}

async function follow(hop: LastHop, how: Follow): Promise<void> {
  if (how === 'head') await hop.take();
  if (how === 'delta') await (hop.state === null ? hop.take() : hop.takeDelta());
  if (how === 'restart' && hop.state !== null) hop.state = await restarted(hop, hop.state);
}

async function restarted({ floor, root }: LastHop, state: NonNullable<LastHop['state']>): Promise<LastHop['state']> {
  const { head, book, base } = state;
  const blobs = new Map<string, Buffer>([
    [head.approval.digest, sliceBytes(state.approval.slice)],
    [head.rules.digest, rulesBytes(state.rules)],
    [head.members.digest, book.index().bytes],
    ...Array.from({ length: book.pageCount }, (_, at) => [book.page(at).digest, book.page(at).bytes] as const),
  ]);
  if (base !== null && head.base !== null) {
    blobs.set(head.base.approval.digest, sliceBytes(base.approval.slice));
    blobs.set(head.base.rules.digest, rulesBytes(base.rules));
  }
  const blob = async (digest: string) => blobs.get(digest) ?? null;
  const restored = await restoreState({ point: POINT, head: state.signedHead, floor, root, blob, nowMs: 0 });
  assert.deepEqual(restored.floor, floor);
  return restored.state;
}

const shown = ({ state, floor }: LastHop): unknown => ({
  head: state?.head,
  rules: state?.rules,
  base: state?.base?.rules,
  members: state?.book.members(GROUP),
  pages: Array.from({ length: state?.book.pageCount ?? 0 }, (_, at) => state?.book.page(at).digest),
  floor: { epoch: floor?.epoch, revision: floor?.revision, head: floor?.head },
});

t.test('by heads, by deltas, with gaps and over restarts, the end is the same', async (t) => {
  const history = fc.array(fc.tuple(arbitraryDeed, fc.constantFrom<Follow>('nothing', 'head', 'delta', 'restart')), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const store = await createSignedWorld();
      await store.publish(simpleSlices(), { members: { [GROUP]: ['10.30.0.1'] } });
      const [always, deltas, some] = [POINT, POINT, POINT].map((point) => createLastHop(store, point)) as [
        LastHop,
        LastHop,
        LastHop,
      ];
      for (const [deed, how] of steps) {
        await follow(always, 'head');
        await follow(deltas, 'delta');
        await perform(store, deed);
        await follow(some, how);
      }
      const fresh = createLastHop(store, POINT);
      for (const hop of [always, deltas, some, fresh]) await hop.take();
      for (const hop of [always, deltas, some]) assert.deepEqual(shown(hop), shown(fresh));
    }),
    search(t, 40),
  );
});
