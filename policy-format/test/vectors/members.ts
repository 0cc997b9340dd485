/** Members that a point must not believe: pages that are not whole, and addresses that people did not allow. */
import { type Blob, canonicalJson, digestOf, type Head, LIMITS } from '@edgeward/policy-format';
import { simpleSlices, sliceDocuments } from '../../../test/kit/signed-world.ts';
import { type Claim, GROUP, naming, POINT, refusal, type Scenario } from './scenario.ts';

const many = (count: number): string[] => Array.from({ length: count }, (_, at) => `10.30.${at >> 8}.${at & 255}`);

/** A head whose index says this, whatever it is; signed with the store's key. */
const indexed = (name: string, write: (s: Scenario) => Uint8Array, code: string, stage: string = 'members'): Claim => ({
  name,
  threat: 'swapped or truncated pages',
  members: { [GROUP]: many(600) },
  play: async (s) => {
    const members = s.store.put(write(s));
    s.head(refusal(stage, code), { document: await s.store.forge(POINT, (head) => naming(head, { members })) });
  },
});

const index = (members: number, pages: readonly Uint8Array[], s: Scenario): Uint8Array =>
  Buffer.from(canonicalJson({ members, pages: pages.map((page) => s.store.put(page)), typ: 'edgeward-members/1' }));

const pageOf = (s: Scenario, number: number): Buffer => s.store.at(POINT).book.page(number).bytes;

/** A point that is to have one page with this text. */
const paged = (
  name: string,
  members: number,
  text: string,
  code: string = 'FORMAT_PAGE',
  stage: string = 'members',
): Claim => indexed(name, (s) => index(members, [Buffer.from(text)], s), code, stage);

/** What a mirror serves in the place of a page of the good head. */
const served = (name: string, change: (page: Buffer, other: Buffer) => Uint8Array | null, code: string): Claim => ({
  name,
  threat: 'poisoned mirror',
  members: { [GROUP]: many(600) },
  play: async (s) => {
    const { digest, bytes } = s.store.at(POINT).book.page(0);
    s.head(refusal('fetch', code), { serve: { [digest]: change(bytes, pageOf(s, 1)) } });
    s.head();
  },
});

/** The same for whatever the head itself names. */
const missing = (name: string, pick: (head: Head) => Blob, bytes: Uint8Array | null, code: string): Claim => ({
  name,
  threat: 'poisoned mirror',
  play: async (s) => {
    s.head(refusal('fetch', code), { serve: { [pick(s.store.at(POINT).head).digest]: bytes } });
    s.head();
  },
});

export const pages: readonly Claim[] = [
  served(
    'a page with a flipped bit',
    (page) => Buffer.from(page.map((byte, at) => (at === 40 ? byte ^ 1 : byte))),
    'FORMAT_DIGEST',
  ),
  served('a page cut off', (page) => page.subarray(0, -10), 'FORMAT_DIGEST'),
  served('a page with more after it', (page) => Buffer.concat([page, page]), 'FORMAT_DIGEST'),
  served('another page', (_page, other) => other, 'FORMAT_DIGEST'),
  served('no page', () => null, 'BLOB_MISSING'),
  missing('no approval', (head) => head.approval, null, 'BLOB_MISSING'),
  missing('other rules', (head) => head.rules, Buffer.from('{}'), 'FORMAT_DIGEST'),
  missing('an empty index', (head) => head.members, Buffer.alloc(0), 'FORMAT_DIGEST'),
  indexed('pages swapped', (s) => index(600, [pageOf(s, 1), pageOf(s, 0)], s), 'FORMAT_PAGE'),
  indexed('one page twice', (s) => index(600, [pageOf(s, 0), pageOf(s, 0)], s), 'FORMAT_PAGE'),
  indexed('a page too few', (s) => index(600, [pageOf(s, 0)], s), 'FORMAT_INDEX'),
  indexed(
    'a page too many',
    (s) => index(600, [pageOf(s, 0), pageOf(s, 1), pageOf(s, 1), pageOf(s, 1)], s),
    'FORMAT_INDEX',
  ),
  indexed('more members than the pages hold', (s) => index(601, [pageOf(s, 0), pageOf(s, 1)], s), 'FORMAT_INDEX'),
  indexed('fewer members than the pages hold', (s) => index(599, [pageOf(s, 0), pageOf(s, 1)], s), 'FORMAT_INDEX'),
  indexed('more members than anybody has', (s) => index(LIMITS.members + 1, [], s), 'FORMAT_INDEX'),
  indexed('half a member', (s) => index(0.5, [], s), 'FORMAT_INDEX'),
  indexed(
    'white space',
    () => Buffer.from('{ "members":0,"pages":[],"typ":"edgeward-members/1"}'),
    'FORMAT_NOT_CANONICAL',
  ),
  indexed(
    'a key twice',
    () => Buffer.from('{"members":0,"members":0,"pages":[],"typ":"edgeward-members/1"}'),
    'FORMAT_NOT_CANONICAL',
  ),
  indexed('another kind', () => Buffer.from('{"members":0,"pages":[],"typ":"edgeward-members/2"}'), 'FORMAT_INDEX'),
  indexed(
    'a page larger than its members could be',
    () =>
      Buffer.from(
        canonicalJson({ members: 1, pages: [{ bytes: 60, digest: digestOf('x') }], typ: 'edgeward-members/1' }),
      ),
    'FORMAT_INDEX',
  ),
  paged('no end of the last line', 1, `${GROUP}\t10.30.0.1`),
  paged('a return before the end of the line', 1, `${GROUP}\t10.30.0.1\r\n`),
  paged('an empty line', 1, `${GROUP}\t10.30.0.1\n\n`),
  paged('a group twice', 2, `${GROUP}\t10.30.0.1\n${GROUP}\t10.30.0.2\n`),
  paged('a group without a member', 1, `${GROUP}\n`),
  paged('an address twice', 2, `${GROUP}\t10.30.0.1\t10.30.0.1\n`),
  paged('addresses out of order', 2, `${GROUP}\t10.30.0.2\t10.30.0.1\n`),
  paged('addresses in the order of numbers', 2, `${GROUP}\t10.30.0.9\t10.30.0.10\n`),
  paged('a zero before', 1, `${GROUP}\t10.30.0.01\n`),
  paged('IPv6 that stands for IPv4', 1, `${GROUP}\t::ffff:10.30.0.1\n`),
  paged('IPv6 in capitals', 1, `${GROUP}\t2001:DB8::1\n`),
  paged('IPv6 that is not the shortest', 1, `${GROUP}\t2001:db8:0::1\n`),
  paged('a range', 1, `${GROUP}\t10.30.0.0/24\n`),
  paged('a name', 1, `${GROUP}\tlocalhost\n`),
  paged('a group that is none', 1, '__proto__\t10.30.0.1\n'),
  paged('a path for a group', 1, '../../x\t10.30.0.1\n'),
];

/** Members that the store's key may sign, and people have not allowed. */
const fenced = (name: string, addresses: readonly string[], code: string, max: number = 600): Claim => ({
  name,
  threat: 'stolen store key',
  play: async (s) => {
    await s.store.publish(simpleSlices(undefined, { max }));
    s.head();
    const { epoch, revision, stateRoot } = s.store.at(POINT).head;
    await s.store.move({ [GROUP]: ['10.30.0.1', '10.30.0.2', ...addresses].sort() });
    s.head(refusal('fence', code));
    s.delta(s.store.delta(POINT, { epoch, revision, stateRoot }), refusal('fence', code));
  },
});

export const fences: readonly Claim[] = [
  fenced('a member outside the fence', ['10.31.0.1'], 'FENCE_OUTSIDE'),
  fenced('a member just below the fence', ['10.29.255.255'], 'FENCE_OUTSIDE'),
  fenced('a member of another family', ['2001:db8::1'], 'FENCE_OUTSIDE'),
  fenced('everybody, one by one', ['0.0.0.0', '255.255.255.255'], 'FENCE_OUTSIDE'),
  fenced('more members than people allowed', ['10.30.0.3'], 'FENCE_MAX', 2),
  paged('members of a group that no rule names', 1, 'g.0000000000000000\t10.30.0.1\n', 'FENCE_GROUP', 'fence'),
  {
    name: 'members of a group that has none of its own',
    threat: 'stolen store key',
    play: async (s) => {
      const slices = sliceDocuments([
        {
          kind: 'VirtualServer',
          name: 'front',
          labels: { app: 'shop' },
          point: POINT,
          bind: 'front',
          ports: ['tcp/443'],
        },
        { kind: 'Policy', name: 'shop', rules: [{ id: 'net', from: [{ cidr: '203.0.113.0/24' }], to: 'all()' }] },
      ]);
      await s.store.publish(slices);
      s.head();
      const group = slices[0]?.groups[0]?.id ?? '';
      const members = s.store.put(index(1, [Buffer.from(`${group}\t10.9.9.9\n`)], s));
      const document = await s.store.forge(POINT, (head) =>
        naming({ ...head, revision: head.revision + 1 }, { members }),
      );
      s.head(refusal('fence', 'FENCE_GROUP'), { document });
    },
  },
  {
    name: 'a fence that people made narrower, and members that are still outside',
    threat: 'stolen store key',
    play: async (s) => {
      s.head();
      await s.store.publish(simpleSlices(undefined, { max: 1 }));
      s.head(refusal('fence', 'FENCE_MAX'));
      await s.store.move({ [GROUP]: ['10.30.0.1'] });
      s.head();
    },
  },
  {
    name: 'another state than the head says',
    threat: 'stolen store key',
    play: async (s) => {
      s.head(refusal('state', 'STATE_ROOT'), {
        document: await s.store.forge(POINT, (head) => ({ ...head, stateRoot: digestOf('another') })),
      });
    },
  },
];
