/** What every implementation has to take over from an honest store. */
import { digestOf } from '@edgeward/policy-format';
import { seededKey, simpleSlices, sliceDocuments } from '../../../test/kit/signed-world.ts';
import { type Claim, GROUP, POINT, refusal, type Scenario } from './scenario.ts';

const HOUR_MS = 3_600_000;

const cursor = ({ store }: Scenario) => {
  const { epoch, revision, stateRoot } = store.at(POINT).head;
  return { epoch, revision, stateRoot };
};

const many = (count: number): string[] => Array.from({ length: count }, (_, at) => `10.30.${at >> 8}.${at & 255}`);

/** Uses every feature but break-glass. */
const EVERYTHING = [
  { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
  {
    kind: 'VirtualServer',
    name: 'front',
    labels: { app: 'shop' },
    point: POINT,
    bind: '/Common/vs_front',
    ports: ['tcp/443', 'tcp/8000-8099'],
    trustedProxies: ['198.51.100.0/28', '2001:db8:9::/48'],
    mode: 'enforce',
  },
  {
    kind: 'Workload',
    name: 'db-1',
    labels: { app: 'db' },
    addresses: [],
    point: POINT,
    ports: ['tcp/5432'],
    mode: 'enforce',
  },
  {
    kind: 'Network',
    name: 'branches',
    cidrs: ['192.0.2.0/24', '2001:db8:7::/48'],
    except: ['192.0.2.66'],
    expires: '2027-01-31T00:00:00Z',
  },
  {
    kind: 'Policy',
    name: 'shop',
    rules: [
      {
        id: 'crm',
        from: [
          {
            workloads: "app == 'crm' && env in {'prod', 'stage'}",
            within: ['10.30.0.0/16', '2001:db8:30::/48'],
            max: 9,
          },
        ],
        to: "app == 'shop'",
        http: [{ methods: ['GET', 'POST'], path: '/v1/orders/*', hosts: ['shop.example'] }, { path: '/café' }],
        until: '2026-12-24T18:00:00Z',
      },
      { id: 'branches', from: [{ network: 'branches' }, { cidr: '203.0.113.7' }], to: 'all()' },
      { id: 'nobody', from: [{ any: true }], to: "app == 'db'", action: 'deny', ports: ['tcp/5432'] },
    ],
  },
];

export const honest: readonly Claim[] = [
  { name: 'a first head', play: async (s) => s.head() },
  {
    name: 'the same head once more',
    play: async (s) => {
      s.head();
      s.head();
    },
  },
  {
    name: 'a delta of one member',
    play: async (s) => {
      s.head();
      const from = cursor(s);
      await s.store.move({ [GROUP]: ['10.30.0.1', '10.30.0.3'] });
      s.delta(s.store.delta(POINT, from));
    },
  },
  {
    name: 'a delta over several revisions',
    play: async (s) => {
      s.head();
      const from = cursor(s);
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      await s.store.move({});
      await s.store.move({ [GROUP]: ['10.30.0.2', '10.30.0.4'] });
      s.delta(s.store.delta(POINT, from));
    },
  },
  {
    name: 'a delta without an operation, to a new version of the rules',
    play: async (s) => {
      s.head();
      const from = cursor(s);
      await s.store.publish(simpleSlices(undefined, { id: 'renamed' }));
      s.delta(s.store.delta(POINT, from));
    },
  },
  {
    name: 'nobody in any group',
    members: {},
    play: async (s) => {
      s.head();
      const from = cursor(s);
      await s.store.move({ [GROUP]: ['10.30.0.1'] });
      s.delta(s.store.delta(POINT, from));
    },
  },
  {
    name: 'as many members as one page holds, one more by delta, and one less',
    members: { [GROUP]: many(512) },
    play: async (s) => {
      s.head();
      const full = cursor(s);
      await s.store.move({ [GROUP]: many(513) });
      const over = cursor(s);
      s.delta(s.store.delta(POINT, full));
      await s.store.move({ [GROUP]: many(512) });
      s.delta(s.store.delta(POINT, over));
    },
  },
  {
    name: 'every kind of object, group, rule and condition',
    play: async (s) => {
      const slices = sliceDocuments(EVERYTHING);
      const group = slices[0]?.groups.find((it) => it.kind === 'workloads')?.id ?? '';
      await s.store.publish(slices, { members: { [group]: ['10.30.0.1', '2001:db8:30::1', '2001:db8:30:0:a::1'] } });
      s.head();
    },
  },
  {
    name: 'a newer issue of the same state',
    play: async (s) => {
      s.head();
      await s.store.refresh();
      s.head();
    },
  },
  {
    name: 'an expired head, as its expiry opens and closes nothing',
    threat: 'freeze',
    play: async (s) => {
      s.store.nowMs += 48 * HOUR_MS;
      s.head();
    },
  },
  {
    name: 'another store key, by way of a newer trust root',
    play: async (s) => {
      s.head();
      const key = await seededKey('the next store key');
      await s.store.changeRoot((root) => ({ ...root, storeKeys: [key.publicKey] }));
      s.store.useStoreKey(key);
      await s.store.move({ [GROUP]: ['10.30.0.5'] });
      s.head();
    },
  },
  {
    name: 'three trust roots at once',
    play: async (s) => {
      for (let more = 0; more < 3; more += 1) await s.store.changeRoot((root) => root);
      await s.store.publish(simpleSlices(undefined, { id: 'later' }));
      s.head();
    },
  },
  {
    name: 'an approval that was taken over before, after the keys behind it are gone',
    play: async (s) => {
      s.head();
      const { publicKey } = await seededKey('bob anew');
      const people = s.store.root.people.map((it) => (it.name === 'bob' ? { ...it, keys: [publicKey] } : it));
      await s.store.changeRoot((root) => ({ ...root, people, epoch: 2 }), ['carol', 'erin']);
      await s.store.move({ [GROUP]: ['10.30.0.5'] });
      s.head();
    },
  },
  {
    name: 'a lower revision in a higher epoch, after one that was driven up',
    threat: 'fast-forward',
    play: async (s) => {
      const far = await s.store.forge(POINT, (head) => ({ ...head, revision: 2 ** 37 }));
      s.head(null, { document: far });
      await s.store.move({ [GROUP]: ['10.30.0.7'] });
      s.head(refusal('head', 'HEAD_ROLLBACK'));
      await s.store.changeRoot((root) => ({ ...root, epoch: 2 }));
      await s.store.move({ [GROUP]: ['10.30.0.8'] });
      s.head();
    },
  },
  {
    name: 'the version before, in a roll-out that the newest one lets return, and the newest again',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { id: 'next' }), { returnMs: HOUR_MS });
      s.head();
      await s.store.returnPoints([POINT]);
      s.head();
      s.store.nowMs += 2 * HOUR_MS;
      await s.store.move({ [GROUP]: ['10.30.0.6'] });
      s.head();
    },
  },
  {
    name: 'what is held after a restart, and a delta on it',
    play: async (s) => {
      s.head();
      const from = cursor(s);
      s.restart('nothing');
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.delta(s.store.delta(POINT, from));
    },
  },
  {
    name: 'what is held after a restart, when the key that signed it is not believed any more',
    play: async (s) => {
      s.head();
      const { publicKey } = await seededKey('the next store key');
      await s.store.changeRoot((root) => ({ ...root, storeKeys: [publicKey], epoch: 2 }));
      const later = await s.store.forge(POINT, (head) => ({ ...head, root: 2, epoch: 2 }));
      s.head(refusal('head', 'HEAD_UNSIGNED'), { document: later });
      s.restart('nothing');
    },
  },
  {
    name: 'the head of the floor once more, where the state is lost',
    play: async (s) => {
      s.head();
      s.restart('state');
      s.head();
    },
  },
  {
    name: 'signatures by keys that nobody knows beside a good one',
    play: async (s) => {
      const stranger = await seededKey('nobody');
      const { payload, signatures } = s.store.head(POINT);
      const other = await s.store.forge(POINT, (head) => head, stranger);
      s.head(null, { document: { payload, signatures: [...other.signatures, ...signatures] } });
    },
  },
  {
    name: 'a checkpoint of the record of any size',
    play: async (s) => {
      const log = { size: 0, hash: digestOf('') };
      s.head(null, { document: await s.store.forge(POINT, (head) => ({ ...head, log })) });
    },
  },
];
