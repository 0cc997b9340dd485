/** Trust roots that a point must not take over, and what then becomes of the head that led to them. */
import { digestOf, type TrustRoot } from '@edgeward/policy-format';
import { type PersonName, seededKey } from '../../../test/kit/signed-world.ts';
import { type Claim, GROUP, POINT, refusal } from './scenario.ts';

/** A second trust root, and a head of an epoch that only it could allow. */
const offered = (
  name: string,
  change: (root: TrustRoot) => TrustRoot,
  code: string,
  signers?: readonly PersonName[],
): Claim => ({
  name,
  threat: 'wrong root',
  play: async (s) => {
    s.head();
    await s.store.changeRoot((root) => change({ ...root, epoch: 2 }), signers);
    const document = await s.store.forge(POINT, (head) => ({ ...head, epoch: 2, revision: head.revision + 1 }));
    s.head(refusal('root', code), { document });
    await s.store.move({ [GROUP]: ['10.30.0.3'] });
  },
});

const WEAK = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const stranger = await seededKey('a stranger');

export const roots: readonly Claim[] = [
  offered('signed by one approver', (root) => root, 'ROOT_OLD_APPROVERS', ['bob']),
  offered('signed by an author and an approver', (root) => root, 'ROOT_OLD_APPROVERS', ['alice', 'bob']),
  offered(
    'signed by approvers of the one before alone',
    (root) => ({
      ...root,
      people: root.people.map((it) => (it.name === 'bob' ? { ...it, keys: [stranger.publicKey] } : it)),
    }),
    'ROOT_NEW_APPROVERS',
  ),
  offered('a version skipped', (root) => ({ ...root, version: root.version + 1 }), 'ROOT_VERSION'),
  offered('after another one', (root) => ({ ...root, previous: digestOf('another') }), 'ROOT_PREVIOUS'),
  offered('of another store', (root) => ({ ...root, store: '0'.repeat(32) }), 'ROOT_STORE'),
  offered('of a lower epoch', (root) => ({ ...root, epoch: 0 }), 'ROOT_EPOCH'),
  offered(
    'with a key under which anybody can sign',
    (root) => ({ ...root, storeKeys: [{ kid: 'tJ5NHWvzYjW7jVNs', x: WEAK }] }),
    'ROOT_KEY_ID',
  ),
  offered('with one key for two', (root) => ({ ...root, logKeys: root.storeKeys }), 'ROOT_KEY_SHARED'),
  offered(
    'with nobody who could sign the next',
    (root) => ({ ...root, thresholds: { ...root.thresholds, root: 9 } }),
    'ROOT_THRESHOLDS',
  ),
  offered('without a key for heads', (root) => ({ ...root, storeKeys: [] }), 'FORMAT_ROOT'),
];
