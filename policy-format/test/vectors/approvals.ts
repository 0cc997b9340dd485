/** Approvals that a point must not believe, however they were signed by the store. */
import { type Approval, canonicalJson, type SliceApproval, signHead } from '@edgeward/policy-format';
import { seededKey, simpleSlices, type VersionOptions, type WorldOptions } from '../../../test/kit/signed-world.ts';
import { type Claim, GROUP, naming, POINT, refusal, type Scenario } from './scenario.ts';

const HOUR_MS = 3_600_000;
const no = (code: string) => refusal('approval', code);

/** A second version, approved like this. */
const approved = (name: string, options: VersionOptions, code: string, more: Partial<Claim> = {}): Claim => ({
  name,
  threat: 'stolen store key',
  ...more,
  play: async (s) => {
    s.head();
    await s.store.publish(simpleSlices(undefined, { id: 'second' }), options);
    s.head(no(code));
  },
});

const signed = (change: (approval: Approval) => Approval): VersionOptions => ({ change });

/** The good head with another blob in the place of its approval. */
const sliced = (name: string, change: (slice: SliceApproval, s: Scenario) => unknown, code: string): Claim => ({
  name,
  threat: 'swapped slices',
  play: async (s) => {
    const { approval } = s.store.at(POINT).head;
    const slice: SliceApproval = JSON.parse(Buffer.from(s.store.blob(approval.digest) ?? []).toString());
    const other = s.store.put(Buffer.from(canonicalJson(change(slice, s))));
    s.head(no(code), { document: await s.store.forge(POINT, (head) => naming(head, { approval: other })) });
  },
});

const twoKeys: WorldOptions['change'] = (root) => ({
  ...root,
  people: root.people.map((it) => (it.name === 'bob' ? { ...it, keys: [...it.keys, SECOND.publicKey] } : it)),
});
const SECOND = await seededKey('bob once more');

export const approvals: readonly Claim[] = [
  approved('nobody but the author', { signers: ['alice'] }, 'APPROVAL_TOO_FEW'),
  approved('an approver, and not the author', { signers: ['bob'] }, 'APPROVAL_UNSIGNED'),
  approved('the author as approver of their own', { proposedBy: 'bob', signers: ['bob'] }, 'APPROVAL_TOO_FEW'),
  approved('an author who is none', { proposedBy: 'carol', signers: ['carol', 'bob'] }, 'APPROVAL_PROPOSER'),
  approved('a risk, and fewer approvers than it takes', { risks: ['any-source'] }, 'APPROVAL_THRESHOLD'),
  approved('a risk, and the signature of one approver', { risks: ['any-source'], approvals: 2 }, 'APPROVAL_TOO_FEW'),
  approved('one approver twice', { risks: ['any-source'], approvals: 2, moreKeys: [SECOND] }, 'APPROVAL_TOO_FEW', {
    threat: 'one approver twice',
    world: { change: twoKeys },
  }),
  approved('an approver of whom nobody knows', { signers: ['alice'], moreKeys: [SECOND] }, 'APPROVAL_TOO_FEW', {
    threat: 'wrong keys',
  }),
  {
    name: 'an approver whose key a newer trust root has dropped',
    threat: 'expired keys',
    play: async (s) => {
      s.head();
      const { publicKey } = SECOND;
      const people = s.store.root.people.map((it) => (it.name === 'bob' ? { ...it, keys: [publicKey] } : it));
      await s.store.changeRoot((root) => ({ ...root, people }), ['carol', 'erin']);
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head(no('APPROVAL_TOO_FEW'));
    },
  },
  approved(
    'another store',
    signed((it) => ({ ...it, store: '0'.repeat(32) })),
    'APPROVAL_STORE',
  ),
  {
    name: 'a trust root that is not known',
    play: async (s) => {
      s.head();
      await s.store.publish(
        simpleSlices(),
        signed((it) => ({ ...it, root: 2 })),
      );
      const document = await s.store.forge(POINT, (head) => ({ ...head, root: 1 }));
      s.head(no('APPROVAL_ROOT'), { document });
    },
  },
  approved(
    'risks out of order',
    signed((it) => ({ ...it, risks: ['unfenced', 'any-source'], approvals: 2 })),
    'FORMAT_APPROVAL',
  ),
  approved(
    'a risk that is not known',
    signed((it) => ({ ...it, risks: ['rain' as 'unfenced'] })),
    'FORMAT_APPROVAL',
  ),
  approved(
    'a reason that steers a terminal',
    signed((it) => ({ ...it, reason: 'a\u001b[2Jb' })),
    'FORMAT_APPROVAL',
  ),
  approved(
    'no reason',
    signed((it) => ({ ...it, reason: '' })),
    'FORMAT_APPROVAL',
  ),
  {
    name: 'an older version',
    threat: 'replayed approval',
    play: async (s) => {
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head(no('APPROVAL_ROLLBACK'), {
        document: await s.store.forge(POINT, (head) => naming(head, { approval, rules })),
      });
    },
  },
  {
    name: 'an older version, where the state was lost and the floor was not',
    threat: 'replayed approval',
    play: async (s) => {
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      s.restart('state');
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head(no('APPROVAL_ROLLBACK'), {
        document: await s.store.forge(POINT, (head) => naming(head, { approval, rules })),
      });
    },
  },
  {
    name: 'an older version in a higher epoch',
    threat: 'replayed approval',
    play: async (s) => {
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      await s.store.changeRoot((root) => ({ ...root, epoch: 2 }));
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head(no('APPROVAL_ROLLBACK'), {
        document: await s.store.forge(POINT, (head) => naming(head, { approval, rules })),
      });
    },
  },
  {
    name: 'another second version',
    threat: 'replayed approval',
    play: async (s) => {
      s.head();
      const first = s.store.at(POINT).version;
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      const again = (it: Approval): Approval => ({ ...it, version: 2, previous: first.digest });
      await s.store.publish(simpleSlices(undefined, { id: 'other' }), signed(again));
      s.head(no('APPROVAL_ROLLBACK'));
    },
  },
  {
    name: 'the version before, which the newest does not let return',
    threat: 'rollback',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      await s.store.returnPoints([POINT]);
      s.head(no('APPROVAL_ROLLBACK'));
    },
  },
  {
    name: 'the version before, too late',
    threat: 'rollback',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }), { returnMs: HOUR_MS });
      s.head();
      s.store.nowMs += HOUR_MS;
      await s.store.returnPoints([POINT]);
      s.head(no('APPROVAL_ROLLBACK'));
    },
  },
  {
    name: 'the version before the version before',
    threat: 'rollback',
    play: async (s) => {
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }), { returnMs: HOUR_MS });
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'third' }), { returnMs: HOUR_MS });
      s.head();
      await s.store.returnPoints([POINT]);
      s.head(no('APPROVAL_ROLLBACK'), {
        document: await s.store.forge(POINT, (head) => naming(head, { approval, rules })),
      });
      s.head();
    },
  },
  sliced(
    'the place of another point',
    (_slice, s) => JSON.parse(Buffer.from(s.store.blob(s.store.at('edge-2').head.approval.digest) ?? []).toString()),
    'APPROVAL_SLICE',
  ),
  sliced('a place that the tree has not', (slice) => ({ ...slice, index: 2 }), 'APPROVAL_SLICE'),
  sliced('a way that is too short', (slice) => ({ ...slice, path: [] }), 'APPROVAL_SLICE'),
  sliced('a way that is too long', (slice) => ({ ...slice, path: [...slice.path, ...slice.path] }), 'APPROVAL_SLICE'),
  sliced(
    'another way',
    (slice) => ({ ...slice, path: slice.path.map((it) => it.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))) }),
    'APPROVAL_SLICE',
  ),
  sliced('a place below nothing', (slice) => ({ ...slice, index: -1 }), 'FORMAT_APPROVAL'),
  sliced('a key too many', (slice) => ({ ...slice, more: 1 }), 'FORMAT_APPROVAL'),
  sliced('no signed document', (slice) => ({ ...slice, approval: {} }), 'FORMAT_SIGNED'),
  {
    name: 'the rules of another point under the name of this one',
    threat: 'swapped audiences',
    play: async (s) => {
      const { rules, approval } = s.store.at('edge-2').head;
      s.head(no('APPROVAL_SLICE'), {
        document: await s.store.forge(POINT, (head) => naming(head, { rules, approval })),
      });
    },
  },
  {
    name: 'rules that nobody approved',
    threat: 'stolen store key',
    play: async (s) => {
      const text = Buffer.from(s.store.blob(s.store.at(POINT).head.rules.digest) ?? []).toString();
      const rules = s.store.put(Buffer.from(text.replace('tcp/443', 'tcp/22')));
      s.head(no('APPROVAL_SLICE'), { document: await s.store.forge(POINT, (head) => naming(head, { rules })) });
    },
  },
  {
    name: 'a head in place of an approval',
    threat: 'wrong keys',
    play: async (s) => {
      const head = await signHead(s.store.at(POINT).head, s.store.keys.people.bob);
      const approval = s.store.put(Buffer.from(canonicalJson({ approval: head, index: 0, path: [] })));
      s.head(no('FORMAT_APPROVAL'), { document: await s.store.forge(POINT, (it) => naming(it, { approval })) });
    },
  },
];

const glass = (name: string, options: VersionOptions, code: string, more: Partial<Claim> = {}): Claim =>
  approved(`break-glass: ${name}`, { breakGlassMs: HOUR_MS, ...options }, code, { threat: 'break-glass', ...more });

export const breakGlass: readonly Claim[] = [
  {
    name: 'break-glass by one approver, until it ends',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      const startMs = s.store.nowMs;
      s.head();
      s.inForce(startMs, 2, startMs + HOUR_MS);
      s.inForce(startMs + HOUR_MS - 1, 2, startMs + HOUR_MS);
      s.inForce(startMs + HOUR_MS, 1, null);
      s.store.nowMs += 2 * HOUR_MS;
      s.restart('nothing');
      s.inForce(s.store.nowMs, 1, null);
    },
  },
  {
    name: 'break-glass that ended before this point saw it',
    play: async (s) => {
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      s.store.nowMs += 2 * HOUR_MS;
      s.head();
      s.inForce(s.store.nowMs, 1, null);
    },
  },
  {
    name: 'an ordinary version after break-glass',
    play: async (s) => {
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'closed' }));
      s.head();
      s.inForce(s.store.nowMs, 3, null);
    },
  },
  glass('longer than the trust root allows', { breakGlassMs: 5 * HOUR_MS }, 'APPROVAL_GLASS_LONG'),
  glass('where the trust root switches it off', {}, 'APPROVAL_GLASS_OFF', {
    world: { change: (root) => ({ ...root, thresholds: { ...root.thresholds, breakGlassHours: 0 } }) },
  }),
  glass('signed by an author alone', { proposedBy: 'alice', signers: ['alice'] }, 'APPROVAL_GLASS_UNSIGNED'),
  glass('in the name of another', { proposedBy: 'carol', signers: ['bob'] }, 'APPROVAL_UNSIGNED'),
  {
    name: 'break-glass without what follows it',
    threat: 'break-glass',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      s.head(no('APPROVAL_BASE'), { document: await s.store.forge(POINT, (head) => naming(head, { base: null })) });
    },
  },
  {
    name: 'break-glass with another version to follow it than the one before',
    threat: 'break-glass',
    play: async (s) => {
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      const document = await s.store.forge(POINT, (head) => naming(head, { base: { approval, rules } }));
      s.head(no('APPROVAL_BASE'), { document });
      s.head();
    },
  },
  {
    name: 'break-glass that would bring back a version of long ago',
    threat: 'break-glass',
    play: async (s) => {
      const first = s.store.at(POINT).version;
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      const change = (it: Approval): Approval => ({ ...it, previous: first.digest });
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS, change });
      const document = await s.store.forge(POINT, (head) => naming(head, { base: { approval, rules } }));
      s.head(no('APPROVAL_BASE'), { document });
    },
  },
  {
    name: 'break-glass numbered beyond every version to come',
    threat: 'break-glass',
    play: async (s) => {
      s.head();
      const change = (it: Approval): Approval => ({ ...it, version: Number.MAX_SAFE_INTEGER });
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS, change });
      s.head(no('APPROVAL_BASE'));
    },
  },
  {
    name: 'break-glass that would bring in another second version',
    threat: 'break-glass',
    play: async (s) => {
      s.head();
      const first = s.store.at(POINT).version;
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head();
      const again = (it: Approval): Approval => ({ ...it, version: 2, previous: first.digest });
      await s.store.publish(simpleSlices(undefined, { id: 'withdrawn' }), signed(again));
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      s.head(no('APPROVAL_BASE'));
    },
  },
  {
    name: 'break-glass upon break-glass',
    threat: 'break-glass',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'open' }), { breakGlassMs: HOUR_MS });
      await s.store.publish(simpleSlices(undefined, { id: 'longer' }), { breakGlassMs: HOUR_MS });
      s.head(no('APPROVAL_BASE'));
    },
  },
  {
    name: 'an ordinary version with something to follow it',
    threat: 'break-glass',
    play: async (s) => {
      const { approval, rules } = s.store.at(POINT).head;
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'second' }));
      s.head(no('APPROVAL_BASE'), {
        document: await s.store.forge(POINT, (head) => naming(head, { base: { approval, rules } })),
      });
    },
  },
];
