/** Deltas that do not reach what their head says. The head itself is taken over afterwards. */
import {
  canonicalJson,
  type Delta,
  type DeltaOperation,
  deltaBytes,
  type Head,
  type SignedDocument,
} from '@edgeward/policy-format';
import { type Claim, GROUP, POINT, refusal } from './scenario.ts';

/** As it travels. */
interface SentDelta extends Omit<Delta, 'head'> {
  head: { payload: Head; signatures: SignedDocument['signatures'] };
}

/** A delta from `.1 .2` to `.2 .3 .4`, with something else in it. */
const altered = (name: string, change: (delta: SentDelta) => unknown, stage: string, code: string): Claim => ({
  name,
  threat: 'poisoned mirror',
  play: async (s) => {
    s.head();
    const { epoch, revision, stateRoot } = s.store.at(POINT).head;
    await s.store.move({ [GROUP]: ['10.30.0.2', '10.30.0.3', '10.30.0.4'] });
    const delta = s.store.delta(POINT, { epoch, revision, stateRoot });
    if (delta === null) throw new Error('there is no delta');
    const sent = JSON.parse(deltaBytes(delta).toString()) as SentDelta;
    s.delta(delta, refusal(stage, code), { bytes: Buffer.from(canonicalJson(change(sent))) });
    s.head();
  },
});

const operating = (name: string, change: (operation: DeltaOperation) => unknown, stage: string, code: string): Claim =>
  altered(name, (delta) => ({ ...delta, operations: delta.operations.map(change) }), stage, code);

const listed = (
  name: string,
  lists: Partial<DeltaOperation>,
  code: string = 'FORMAT_DELTA',
  stage: string = 'members',
): Claim => operating(name, (operation) => ({ ...operation, ...lists }), stage, code);

const encoded = (value: unknown): string => Buffer.from(canonicalJson(value)).toString('base64url');
const later = (head: Head): Head => ({ ...head, expiresAt: new Date(Date.parse(head.expiresAt) + 1).toISOString() });

export const deltas: readonly Claim[] = [
  listed('one address too few', { add: ['10.30.0.3'] }, 'STATE_ROOT', 'state'),
  listed('one address too many', { add: ['10.30.0.3', '10.30.0.4', '10.30.0.5'] }, 'STATE_ROOT', 'state'),
  altered('no operation at all', (delta) => ({ ...delta, operations: [] }), 'state', 'STATE_ROOT'),
  listed('an address to add that is there', { add: ['10.30.0.2', '10.30.0.3', '10.30.0.4'] }),
  listed('an address to remove that is not there', { remove: ['10.30.0.1', '10.30.0.9'] }),
  listed('addresses out of order', { add: ['10.30.0.4', '10.30.0.3'] }),
  listed('an address twice', { add: ['10.30.0.3', '10.30.0.3', '10.30.0.4'] }),
  listed('an address in another spelling', { add: ['10.30.0.03', '10.30.0.4'] }),
  listed(
    'an address outside the fence beside the right ones',
    { add: ['10.30.0.3', '10.30.0.4', '10.31.0.1'] },
    'FENCE_OUTSIDE',
    'fence',
  ),
  listed('a group that no rule names', { group: 'g.0000000000000000', remove: [] }, 'FENCE_GROUP', 'fence'),
  listed('no group', { group: '../../x' }, 'FORMAT_DELTA', 'head'),
  listed('__proto__ for a group', { group: '__proto__' }, 'FORMAT_NOT_CANONICAL', 'head'),
  operating('an operation that is not known', (it) => ({ ...it, op: 'rules' }), 'head', 'FORMAT_DELTA'),
  listed('an operation that changes nothing', { add: [], remove: [] }, 'FORMAT_DELTA', 'head'),
  altered(
    'a group twice',
    (delta) => ({ ...delta, operations: [...delta.operations, ...delta.operations] }),
    'head',
    'FORMAT_DELTA',
  ),
  altered('a key too many', (delta) => ({ ...delta, more: 1 }), 'head', 'FORMAT_DELTA'),
  altered(
    'another revision to begin from',
    (delta) => ({ ...delta, from: { ...delta.from, revision: 7 } }),
    'members',
    'DELTA_FROM',
  ),
  altered(
    'another epoch to begin from',
    (delta) => ({ ...delta, from: { ...delta.from, epoch: 0 } }),
    'members',
    'DELTA_FROM',
  ),
  altered(
    'another state to begin from',
    (delta) => ({ ...delta, from: { ...delta.from, stateRoot: '0'.repeat(64) } }),
    'members',
    'DELTA_FROM',
  ),
  altered('no signed head', (delta) => ({ ...delta, head: {} }), 'head', 'FORMAT_SIGNED'),
  altered(
    'no payload in the head',
    ({ head, ...delta }) => ({ ...delta, head: { ...head, payload: 7 } }),
    'head',
    'FORMAT_HEAD',
  ),
  altered(
    'the payload of the head in base64url, as in a document of its own',
    ({ head, ...delta }) => ({ ...delta, head: { ...head, payload: encoded(head.payload) } }),
    'head',
    'FORMAT_HEAD',
  ),
  altered(
    'a later end of the head, which nobody signed',
    ({ head, ...delta }) => ({ ...delta, head: { ...head, payload: later(head.payload) } }),
    'head',
    'HEAD_UNSIGNED',
  ),
  altered(
    'a head that nobody signed',
    ({ head, ...delta }) => ({ ...delta, head: { ...head, signatures: [] } }),
    'head',
    'HEAD_UNSIGNED',
  ),
  altered(
    'a head larger than any may be',
    ({ head, ...delta }) => ({
      ...delta,
      head: { ...head, payload: { ...head.payload, requires: ['x'.repeat(17_000)] } },
    }),
    'head',
    'FORMAT_TOO_LARGE',
  ),
  {
    name: 'the head of another point',
    threat: 'swapped audiences',
    play: async (s) => {
      s.head();
      const { epoch, revision, stateRoot } = s.store.at(POINT).head;
      const from = { epoch, revision, stateRoot };
      s.delta(
        { typ: 'edgeward-delta/1', from, operations: [], head: s.store.head('edge-2') },
        refusal('head', 'HEAD_AUDIENCE'),
      );
    },
  },
];
