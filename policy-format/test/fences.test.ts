/** Members against what people signed for them: who may be one, and how many. */
import type { PointRules, RuleGroup } from '@edgeward/policy';
import { checkFences, createMemberBook, digestOf, type Fenced, type MemberBook } from '@edgeward/policy-format';
import t from 'tap';

const ID = `g.${digestOf('a').slice(0, 16)}`;
const OTHER = `g.${digestOf('b').slice(0, 16)}`;

const rulesWith = (rest: Partial<Extract<RuleGroup, { kind: 'workloads' }>>, id = ID): PointRules => ({
  format: 1,
  point: 'edge-1',
  objects: [],
  groups: [{ id, kind: 'workloads', selector: "app == 'crm'", within: null, max: null, ...rest }],
  rules: [],
});

const bookOf = (...addresses: string[]): MemberBook => createMemberBook([[ID, addresses.toSorted()]]);
const v4 = (count: number): string[] => Array.from({ length: count }, (_, n) => `10.0.0.${n}`);
const v6 = (count: number): string[] => Array.from({ length: count }, (_, n) => `2001:db8::${n + 1}`);

interface Row {
  name: string;
  rules: PointRules[];
  book: MemberBook;
  before?: Fenced;
  refused: [code: string, message: RegExp] | null;
}

const fence = { within: ['10.0.0.0/8'] };
const rows: Row[] = [
  { name: 'no number, no end', rules: [rulesWith({})], book: bookOf(...v4(40), ...v6(40)), refused: null },
  { name: 'as many as may be', rules: [rulesWith({ max: 3 })], book: bookOf(...v4(3)), refused: null },
  {
    name: 'workloads with an address of each family count once',
    rules: [rulesWith({ max: 3 })],
    book: bookOf(...v4(3), ...v6(3)),
    refused: null,
  },
  {
    name: 'one IPv4 address too many',
    rules: [rulesWith({ max: 3 })],
    book: bookOf(...v4(4), ...v6(1)),
    refused: ['EDW_ERR_FENCE_MAX', /has 4 IPv4 addresses, more than 3/],
  },
  {
    name: 'one IPv6 address too many, and no IPv4 at all',
    rules: [rulesWith({ max: 3 })],
    book: bookOf(...v6(4)),
    refused: ['EDW_ERR_FENCE_MAX', /has 4 IPv6 addresses, more than 3/],
  },
  {
    name: 'nobody may be in it',
    rules: [rulesWith({ max: 0 })],
    book: bookOf('10.0.0.1'),
    refused: ['EDW_ERR_FENCE_MAX', /has 1 IPv4 addresses/],
  },
  {
    name: 'two documents, and the smaller number of them',
    rules: [rulesWith({ max: 9 }), rulesWith({ max: 3 })],
    book: bookOf(...v4(4)),
    refused: ['EDW_ERR_FENCE_MAX', /more than 3/],
  },
  {
    name: 'a number that people made smaller, for members that stood',
    rules: [rulesWith({ max: 3 })],
    book: bookOf(...v4(4)),
    before: { rules: [rulesWith({ max: 4 })], book: bookOf(...v4(4)) },
    refused: ['EDW_ERR_FENCE_MAX', /more than 3/],
  },
  {
    name: 'a fence leaves a family out that it does not name',
    rules: [rulesWith({ ...fence, max: 3 })],
    book: bookOf(...v4(2), ...v6(1)),
    refused: ['EDW_ERR_FENCE_OUTSIDE', /2001:db8::1/],
  },
  {
    name: 'a fence that people made narrower, for members that stood',
    rules: [rulesWith({ within: ['10.0.0.0/31'] })],
    book: bookOf(...v4(3)),
    before: { rules: [rulesWith(fence)], book: bookOf(...v4(3)) },
    refused: ['EDW_ERR_FENCE_OUTSIDE', /10\.0\.0\.2/],
  },
  {
    name: 'members that are new behind a fence that stood',
    rules: [rulesWith(fence)],
    book: bookOf(...v4(3), '11.0.0.1'),
    before: { rules: [rulesWith(fence)], book: bookOf(...v4(3)) },
    refused: ['EDW_ERR_FENCE_OUTSIDE', /11\.0\.0\.1/],
  },
  {
    name: 'members of a group that no rule names',
    rules: [rulesWith({}, OTHER)],
    book: bookOf('10.0.0.1'),
    refused: ['EDW_ERR_FENCE_GROUP', new RegExp(ID)],
  },
];

t.test('what a store says of members holds only inside what people signed', async (t) => {
  for (const { name, rules, book, before, refused } of rows) {
    const check = (): void => checkFences(rules, book, before ?? null);
    if (refused === null) t.doesNotThrow(check, name);
    else t.throws(check, { code: refused[0], message: refused[1] }, name);
  }
});
