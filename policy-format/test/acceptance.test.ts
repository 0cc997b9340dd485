/** What a point takes over from an honest store, and what it then holds and remembers. */
import { cursorOf, digestOfPayload, effectiveRules, isStale, restoreState } from '@edgeward/policy-format';
import t from 'tap';
import { createLastHop, createSignedWorld, seededKey, simpleGroup, simpleSlices } from '../../test/kit/signed-world.ts';

const GROUP = simpleGroup();
const HOUR_MS = 3_600_000;

const world = async (more: Parameters<typeof createSignedWorld>[0] = {}) => {
  const made = await createSignedWorld(more);
  await made.publish(simpleSlices(), { members: { [GROUP]: ['10.30.0.1', '10.30.0.2'] } });
  return made;
};

const refuseToFetch = async (digest: string): Promise<never> => {
  throw new Error(`${digest} was fetched`);
};

t.test('the first head is taken over with everything that it names', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  const { state, floor, unchanged } = await hop.take();
  t.equal(unchanged, false);
  t.strictSame(state.book.members(GROUP), ['10.30.0.1', '10.30.0.2']);
  t.equal(state.rules.point, 'edge-1');
  t.strictSame(cursorOf(state), { epoch: 1, revision: 1, stateRoot: state.head.stateRoot });
  t.match(floor, { epoch: 1, revision: 1, newest: { version: 1 }, accepted: [state.approval.digest] });
});

t.test('a head that is shown twice changes nothing, and asks for nothing', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  const first = await hop.take();
  hop.fetch.blob = refuseToFetch;
  const second = await hop.take();
  t.equal(second.unchanged, true);
  t.equal(second.state, first.state);
  t.equal(second.floor, first.floor);
});

t.test('one member more is a delta of one address, and fetches nothing', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  const before = (await hop.take()).state;
  await store.move({ [GROUP]: ['10.30.0.1', '10.30.0.2', '10.30.0.3'] });
  const delta = store.delta('edge-1', cursorOf(before));
  t.strictSame(delta?.operations, [{ op: 'members', group: GROUP, add: ['10.30.0.3'], remove: [] }]);
  hop.fetch.blob = refuseToFetch;
  const { state } = await hop.takeDelta();
  t.strictSame(state.book.members(GROUP), ['10.30.0.1', '10.30.0.2', '10.30.0.3']);
  t.strictSame(before.book.members(GROUP), ['10.30.0.1', '10.30.0.2'], 'what was held is as it was');
  t.equal(state.rules, before.rules, 'what did not change is not read again');
});

t.test('of many pages only those are fetched that are not held', async (t) => {
  const store = await world();
  const many = (count: number) => Array.from({ length: count }, (_, at) => `10.30.${at >> 8}.${at & 255}`);
  await store.publish(simpleSlices(undefined, { max: 10_000 }), { members: { [GROUP]: many(4000) } });
  const hop = createLastHop(store, 'edge-1');
  const { state } = await hop.take();
  t.equal(state.book.pageCount, 8);
  await store.move({ [GROUP]: many(4001) });
  const fetched: string[] = [];
  hop.fetch.blob = async (digest) => {
    fetched.push(digest);
    return store.blob(digest);
  };
  await hop.take();
  t.equal(fetched.length, 2, 'the index and one page');
});

t.test('a new version reaches the point by head and by delta, and both lead to one state', async (t) => {
  const store = await world();
  const byHead = createLastHop(store, 'edge-1');
  const byDelta = createLastHop(store, 'edge-1');
  await byHead.take();
  await byDelta.take();
  await store.publish(simpleSlices(['edge-1', 'edge-3'], { id: 'crm-2' }), { members: { [GROUP]: ['10.30.0.9'] } });
  await byHead.take();
  await byDelta.takeDelta();
  t.strictSame(byDelta.state?.head, byHead.state?.head);
  t.strictSame(byDelta.floor, byHead.floor);
  t.equal(byHead.state?.rules.rules[0]?.id, 'crm-2');
  t.equal(byHead.floor?.newest.version, 2);
});

t.test('a refresh with another time of issue is taken over; an expired head opens and closes nothing', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  const first = await hop.take();
  store.nowMs += 48 * HOUR_MS;
  t.equal(isStale(first.state.head, store.nowMs), true);
  const late = createLastHop(store, 'edge-1');
  t.strictSame((await late.take()).state.head, first.state.head, 'a stale head is still one');
  await store.refresh();
  const { state, unchanged } = await hop.take();
  t.equal(unchanged, false);
  t.equal(state.head.revision, 1);
  t.equal(isStale(state.head, store.nowMs), false);
  t.equal(isStale(state.head, store.nowMs - 23 * 3_600_000), false, 'clocks are apart');
  t.equal(isStale(state.head, store.nowMs - 25 * 3_600_000), true, 'a head of tomorrow is no news of today');
});

t.test('a newer trust root is fetched, kept first, and believed', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  await hop.take();
  const key = await seededKey('another store key');
  await store.changeRoot((root) => ({ ...root, storeKeys: [key.publicKey] }));
  await store.changeRoot((root) => root);
  store.useStoreKey(key);
  await store.move({ [GROUP]: ['10.30.0.5'] });
  await hop.take();
  t.strictSame(hop.kept, [2], 'no more of them than the head needs');
  await store.publish(simpleSlices());
  await hop.take();
  t.strictSame(hop.kept, [2, 3]);
});

t.test('a trust root that is verified is kept, also when the head that led to it is refused', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  await hop.take();
  await store.changeRoot((root) => ({ ...root, epoch: 2 }));
  const head = await store.forge('edge-1', (it) => ({ ...it, epoch: 3, revision: 9 }));
  await t.rejects(hop.take(head), { stage: 'head', code: 'EDW_ERR_HEAD_EPOCH' });
  t.strictSame(hop.kept, [2]);
});

t.test('an epoch that people raised lets a point come back from a revision that was driven up', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  await hop.take(await store.forge('edge-1', (it) => ({ ...it, revision: 2 ** 37 })));
  await store.move({ [GROUP]: ['10.30.0.7'] });
  await t.rejects(hop.take(), { stage: 'head', code: 'EDW_ERR_HEAD_ROLLBACK' });
  await store.changeRoot((root) => ({ ...root, epoch: 2 }));
  await store.move({ [GROUP]: ['10.30.0.8'] });
  const { state, floor } = await hop.take();
  t.strictSame(state.book.members(GROUP), ['10.30.0.8']);
  t.match(floor, { epoch: 2, newest: { version: 1 } });
});

t.test('an approval that was taken over stays good when the keys behind it are gone', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  await hop.take();
  const bob = await seededKey('bob anew');
  const people = store.root.people.map((it) => (it.name === 'bob' ? { ...it, keys: [bob.publicKey] } : it));
  await store.changeRoot((root) => ({ ...root, people, epoch: 2 }), ['carol', 'erin']);
  await store.move({ [GROUP]: ['10.30.0.4'] });
  await hop.take();
  t.equal(hop.root.version, 2);
  const other = createLastHop(store, 'edge-1');
  await t.rejects(
    other.take(),
    { stage: 'approval', code: 'EDW_ERR_APPROVAL_TOO_FEW' },
    'for a point that never saw it',
  );
});

t.test('a break-glass version ends at its instant, and the one before is in force again', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  await hop.take();
  await store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: 2 * HOUR_MS });
  const { state } = await hop.take();
  const startMs = store.nowMs;
  const inForce = (ms: number) => effectiveRules(state, startMs + ms);
  t.match(inForce(0), { rules: { rules: [{ id: 'open' }] }, untilMs: startMs + 2 * HOUR_MS });
  t.match(inForce(2 * HOUR_MS - 1), { rules: { rules: [{ id: 'open' }] } });
  t.match(inForce(2 * HOUR_MS), {
    rules: { rules: [{ id: 'crm' }] },
    untilMs: null,
    approval: { approval: { version: 1 } },
  });
  const late = createLastHop(store, 'edge-1');
  store.nowMs += 9 * HOUR_MS;
  const after = await late.take();
  t.match(effectiveRules(after.state, store.nowMs), { rules: { rules: [{ id: 'crm' }] } }, 'also for who comes late');
});

t.test('a roll-out may return to the version before as long as the newest lets it, and go on again', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  const late = createLastHop(store, 'edge-1');
  await hop.take();
  await store.publish(simpleSlices(undefined, { id: 'crm-2' }), { returnMs: HOUR_MS });
  const second = store.at('edge-1').version;
  await hop.take();
  await late.take();
  await store.returnPoints(['edge-1']);
  const back = await hop.take();
  t.match(back.state.rules.rules, [{ id: 'crm' }]);
  t.match(back.floor, { newest: { version: 2, digest: second.digest } }, 'the newest is remembered');
  store.nowMs += 2 * HOUR_MS;
  await t.rejects(late.take(), { stage: 'approval', code: 'EDW_ERR_APPROVAL_ROLLBACK' }, 'too late to return');
  await store.move({ [GROUP]: ['10.30.0.4'] });
  const moved = await hop.take();
  t.strictSame(moved.state.book.members(GROUP), ['10.30.0.4'], 'who has returned is still told who is where');
});

t.test('what was kept is restored without a store, also when the keys behind it are gone', async (t) => {
  const store = await world();
  const hop = createLastHop(store, 'edge-1');
  const { state } = await hop.take();
  const key = await seededKey('another store key');
  await store.changeRoot((root) => ({ ...root, storeKeys: [key.publicKey], epoch: 2 }));
  await t.rejects(hop.take(await store.forge('edge-1', (it) => ({ ...it, root: 2, epoch: 2 }))));
  t.equal(hop.root.version, 2);
  const kept = { point: 'edge-1', head: state.signedHead, floor: hop.floor, root: hop.root, nowMs: store.nowMs };
  const restored = await restoreState({ ...kept, blob: async (digest) => store.blob(digest) });
  t.strictSame(restored.state.head, state.head);
  t.strictSame(restored.state.book.members(GROUP), state.book.members(GROUP));
  t.strictSame(restored.floor, hop.floor);
  t.equal(hop.floor?.head, digestOfPayload(state.signedHead));
  await t.rejects(restoreState({ ...kept, point: 'edge-2', blob: async (digest) => store.blob(digest) }), {
    stage: 'head',
    code: 'EDW_ERR_HEAD_AUDIENCE',
  });
  await t.rejects(restoreState({ ...kept, floor: null, blob: async (digest) => store.blob(digest) }), {
    stage: 'head',
    code: 'EDW_ERR_HEAD_UNSIGNED',
  });
});
