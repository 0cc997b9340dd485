/** Rules documents, and member pages, as bytes: what is read and written without a store around it. */
import type { PointRules } from '@edgeward/policy';
import { canonicalJson, createMemberBook, rulesBytes } from '@edgeward/policy-format';
import { sliceDocuments } from '../../../test/kit/signed-world.ts';
import type { Vector } from '../../conformance/vector-files.ts';
import { base64, type Claim, GROUP, POINT, refusal } from './scenario.ts';

const FRONT = {
  kind: 'VirtualServer',
  name: 'front',
  labels: { app: 'shop' },
  point: POINT,
  bind: 'front',
  ports: ['tcp/443'],
};

const good = (): PointRules => {
  const from = [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max: 9 }, { cidr: '203.0.113.0/24' }];
  const rules = [{ id: 'crm', from, to: "app == 'shop'", http: [{ path: '/v1/*' }], until: '2026-12-24T18:00:00Z' }];
  const slice = sliceDocuments([FRONT, { kind: 'Policy', name: 'shop', rules }])[0];
  if (slice === undefined) throw new Error('there is no slice');
  return slice;
};

const read = (name: string, bytes: Uint8Array, expect: Vector['steps'][0]['expect']): Vector => ({
  name,
  steps: [{ request: { do: 'rules', point: POINT, bytes: base64(bytes) }, expect }],
});

/** A text in the good document, replaced. */
const altered = (name: string, from: string, to: string, code: string = 'FORMAT_RULES'): Vector => {
  const text = canonicalJson(good());
  if (!text.includes(from)) throw new Error(`${from} is not in ${text}`);
  return read(name, Buffer.from(text.replace(from, to)), refusal('format', code));
};

const listed = (name: string, members: Record<string, string[]>): Vector => {
  const book = createMemberBook(Object.entries(members));
  const pages = Array.from({ length: book.pageCount }, (_, number) => book.page(number).digest);
  const accept = { index: book.index().digest, pages };
  return { name, steps: [{ request: { do: 'members', members }, expect: { accept } }] };
};

const many = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `2001:db8::${(at + 1).toString(16)}`);

export const rules: readonly Vector[] = [
  read('rules that are good', rulesBytes(good()), { accept: { requires: ['http', 'until'] } }),
  altered('rules of another point', '"point":"edge-1"', '"point":"edge-2"', 'RULES_POINT'),
  altered('another format', '"format":1', '"format":2'),
  altered('a key too many', '{"format":1', '{"extra":1,"format":1'),
  altered('a group whose name is not that of its fence', '10.30.0.0/16', '10.0.0.0/8'),
  altered('a selector in another spelling', "app == 'crm'", "app=='crm'"),
  altered('a selector that is none', "app == 'crm'", 'app =='),
  altered('a range with host bits', '203.0.113.0/24', '203.0.113.1/24'),
  altered('a rule that names an object that is not there', '"to":["front"]', '"to":["back"]'),
  altered('a rule that names no object', '"to":["front"]', '"to":[]'),
  altered('a rule that names an object twice', '"to":["front"]', '"to":["front","front"]'),
  altered('ports that are none', '"tcp/443"', '"tcp/0"'),
  altered('ports in another spelling', '"tcp/443"', '"tcp/0443"'),
  altered('a path that climbs', '/v1/*', '/v1/../*'),
  altered('a bind that ends a command', '"bind":"front"', '"bind":"front;exit"'),
  altered('an end without milliseconds', '18:00:00.000Z', '18:00:00Z'),
  altered('an end that is no day', '2026-12-24', '2026-02-30'),
  altered('a mode that is none', '"mode":"observe"', '"mode":"open"'),
  altered('an action that is none', '"action":"allow"', '"action":"permit"'),
  altered('a label that is none', '{"app":"shop"}', '{"app":"sh op"}'),
  altered('__proto__ for a label', '{"app":"shop"}', '{"__proto__":"shop"}', 'FORMAT_NOT_CANONICAL'),
  altered('white space', '"format":1', '"format": 1', 'FORMAT_NOT_CANONICAL'),
];

export const books: readonly Vector[] = [
  listed('pages for nobody', {}),
  listed('pages for one', { [GROUP]: ['10.30.0.1'] }),
  listed('addresses in the order of their text', { [GROUP]: ['10.30.0.9', '10.30.0.10', '2001:db8::1', '9.9.9.9'] }),
  listed('two groups in one page', { 'g.ffffffffffffffff': ['10.30.0.1'], 'g.0000000000000000': ['10.30.0.1'] }),
  listed('as many as fill a page', { [GROUP]: many(512) }),
  listed('one more than fills a page', { [GROUP]: many(513) }),
  listed('one more than fills two', { [GROUP]: many(600), 'g.0000000000000000': many(425) }),
];

/** What people signed without looking, and a point still does not take. */
export const signedRules: readonly Claim[] = [
  {
    name: 'rules that were approved, and are not canonical',
    threat: 'hostile JSON',
    play: async (s) => {
      const bytesOf = (it: PointRules) => Buffer.from(canonicalJson(it).replace('"format":1', '"format":1,"format":1'));
      await s.store.publish([good()], { bytesOf });
      s.head(refusal('rules', 'FORMAT_NOT_CANONICAL'));
    },
  },
  {
    name: 'rules that were approved, and speak of another point',
    threat: 'swapped audiences',
    play: async (s) => {
      await s.store.publish([good()], { bytesOf: (it) => rulesBytes({ ...it, point: 'edge-2' }) });
      s.head(refusal('rules', 'RULES_POINT'));
    },
  },
];
