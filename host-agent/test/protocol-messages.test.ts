import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import {
  enrolmentStatement,
  formatDenialBatch,
  formatInvite,
  type HostDenial,
  type HostGap,
  type HostReport,
  hostReportOf,
  isProof,
  MAX_BATCH_RECORDS,
  parseDenialBatch,
  parseInvite,
  proofFor,
  renewalStatement,
} from '../protocol/index.ts';

const at = '2026-11-23T10:00:00.000Z';
const epoch = '0123456789abcdef0123456789abcdef';

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'taken';
  } catch (thrown) {
    return thrown instanceof EdgewardError && thrown.mend !== '' ? thrown.code : `uncoded: ${String(thrown)}`;
  }
}

const denial: HostDenial = {
  seq: 3,
  kind: 'denial',
  windowStart: at,
  windowEnd: at,
  count: 2,
  object: 'db-1',
  source: '10.9.9.9',
  sourcePort: null,
  port: 'tcp/5432',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 7,
  nearestRule: 'crm-orders',
  missed: 'labels',
};
const gap: HostGap = { seq: 4, kind: 'gap', windowStart: at, windowEnd: at, cause: 'not-sampled', count: 40 };

t.test('a batch is read as it was written, and what no spool wrote is refused whole', async (t) => {
  t.strictSame(parseDenialBatch(formatDenialBatch({ epoch, records: [denial, gap] })), {
    epoch,
    records: [denial, gap],
  });
  t.strictSame(parseDenialBatch(formatDenialBatch({ epoch, records: [] })), { epoch, records: [] }, 'an empty one too');
  const head = JSON.stringify({ v: 1, epoch, first: 3 });
  const lines = (...records: unknown[]): string => [head, ...records.map((it) => JSON.stringify(it))].join('\n');
  const cases: [string, string][] = [
    ['nothing', ''],
    ['no head', JSON.stringify(denial)],
    ['an epoch of another length', `{"v":1,"epoch":"abc","first":3}\n`],
    ['a record that is no JSON', `${head}\n{`],
    ['an empty line', `${head}\n\n${JSON.stringify(denial)}\n`],
    ['a first that is not the first', lines(gap)],
    ['out of order', lines(denial, { ...gap, seq: 2 })],
    ['twice the same', lines(denial, { ...gap, seq: 3 })],
    ['a record without a number', lines({ ...denial, seq: undefined })],
    ['a number that is none', lines({ ...denial, seq: 2 ** 53 })],
    ['nothing but a value', lines(null)],
    ['too many', lines(...Array.from({ length: MAX_BATCH_RECORDS + 1 }, (_, i) => ({ ...gap, seq: 3 + i })))],
    ['too long', lines({ ...denial, missed: 'x'.repeat(2 ** 20) })],
  ];
  for (const [name, text] of cases)
    t.equal(
      codeOf(() => parseDenialBatch(text)),
      'EDW_ERR_HOST_BATCH',
      name,
    );
  const back = lines({ ...denial, windowStart: '2026-11-23T10:00:00.001Z' });
  t.equal(parseDenialBatch(back).records.length, 1, 'a clock that was set back is no reason to keep a spool waiting');
  const shown = parseDenialBatch(lines({ ...denial, missed: 'a\u001b[2Jb' })).records[0];
  t.match(shown, { missed: 'a\u{fffd}[2Jb' }, 'no control character comes through');
});

t.test('a record that is not understood is counted and keeps nothing waiting', async (t) => {
  const taken = '2026-11-23T11:00:00.000Z';
  const cases: [string, object, object][] = [
    ['a source that is none', { source: '10.9.9' }, { count: 2 }],
    ['a port that is none', { port: 'tcp/0x16' }, { count: 2 }],
    ['a name with a line end', { object: 'db\n1' }, { count: 2 }],
    ['an allowed reason', { reason: 'allowed-by-rule' }, { count: 2 }],
    ['a reason of a later version', { reason: 'quarantined' }, { count: 2 }],
    ['a kind of a later version', { kind: 'flow' }, { count: 2 }],
    ['a cause of a later version', { kind: 'gap', cause: 'lost' }, { count: 2 }],
    ['words that are too many', { missed: 'x'.repeat(501) }, { count: 2 }],
    ['a count of nothing', { count: 0 }, { count: 1 }],
    ['a count that is none', { count: 1e300 }, { count: 1 }],
    ['half a window', { windowStart: 'noon' }, { windowStart: at }],
    ['no window', { windowStart: 7, windowEnd: null }, { windowStart: taken, windowEnd: taken }],
  ];
  for (const [name, wrong, expected] of cases) {
    const records = [{ ...denial, ...wrong } as HostDenial, gap];
    const [first, second] = parseDenialBatch(formatDenialBatch({ epoch, records }), Date.parse(taken)).records;
    const { seq, windowStart, windowEnd } = denial;
    const counted = { seq, kind: 'gap', windowStart, windowEnd, cause: 'unreadable', count: 2 };
    t.strictSame([first, second], [{ ...counted, ...expected }, gap], name);
  }
});

const report: HostReport = {
  v: 1,
  agent: '0.1.0',
  backend: 'nft',
  startedAt: at,
  clock: at,
  applied: { revision: 7, hash: 'a'.repeat(64) },
  state: 'applied',
  mode: 'enforce',
  rules: '0123456789abcdef:0123456789abcdef',
  nack: null,
  drift: [],
  repairs: { count: 1, last: { at, words: 'the jump was gone', process: 'iptables' } },
  denials: { denied: 5, sampled: 3, notSampled: 2, netlinkDrops: 0, pending: 1, gaps: 1 },
  certificateEnds: at,
  warnings: [],
};

t.test(
  'a report is read as it was written; what a newer agent adds is passed over, what is wrong is refused',
  async (t) => {
    const copy: unknown = JSON.parse(JSON.stringify(report));
    t.strictSame(hostReportOf(copy), report);
    t.strictSame(hostReportOf({ ...report, temperature: 21 }), report, 'passed over');
    const counting = { ...report, outgoing: { tcp: 3, udp: 2, other: 0 } };
    t.strictSame(hostReportOf(counting), counting, 'an older agent does not count what goes out');
    t.match(
      hostReportOf({ ...report, warnings: ['a\nb\u202e'] }),
      { warnings: ['a\u{fffd}b\u{fffd}'] },
      'fit to be shown',
    );
    const cases: [string, unknown][] = [
      ['nothing', null],
      ['another version', { ...report, v: 2 }],
      ['a hash that is none', { ...report, applied: { revision: 7, hash: 'x' } }],
      ['a state that is none', { ...report, state: 'fine' }],
      ['a code that is none', { ...report, nack: { revision: 1, code: 'no', message: '' } }],
      ['a part of what goes out', { ...report, outgoing: { tcp: 1 } }],
      ['a negative count', { ...report, repairs: { count: -1, last: null } }],
      ['more lines than are shown', { ...report, drift: Array.from({ length: 21 }, () => 'x') }],
      ['a time of another form', { ...report, clock: 'Mon Nov 23' }],
    ];
    for (const [name, value] of cases)
      t.equal(
        codeOf(() => hostReportOf(value)),
        'EDW_ERR_HOST_REPORT',
        name,
      );
  },
);

t.test('an invite is one line, and nothing else is taken for one', async (t) => {
  const invite = { url: 'https://edgeward.example:7444', secret: 'A'.repeat(43), authority: 'ab'.repeat(32) };
  const line = formatInvite(invite);
  t.match(line, /^[A-Za-z0-9_-]+$/);
  t.strictSame(parseInvite(` ${line}\n`), invite, 'white space of a terminal is no part of it');
  const { secret: _, ...withoutSecret } = invite;
  const packed = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const [noLine, cutOff] = [
    'it is not one line of letters and digits',
    'it is cut off, or another text than an invite',
  ];
  const [noUrl, noSecret] = ['it does not say at which https address to enrol', 'it has no secret in it'];
  const noAuthority = 'it does not say by whose certificate to know the service';
  const cases: [string, string, string][] = [
    ['nothing', '', noLine],
    ['half of it', line.slice(0, line.length / 2), cutOff],
    ['one character less', line.slice(0, -1), cutOff],
    ['a word', 'hello', cutOff],
    ['a list', packed([invite]), cutOff],
    ['two lines', `${line}\n${line}`, noLine],
    ['an address in clear', formatInvite({ ...invite, url: 'http://edgeward.example' }), noUrl],
    ['an address with a user', formatInvite({ ...invite, url: 'https://a:b@edgeward.example' }), noUrl],
    ['a short secret', formatInvite({ ...invite, secret: 'A' }), noSecret],
    ['no secret', packed(withoutSecret), noSecret],
    ['an authority that is none', formatInvite({ ...invite, authority: 'AB' }), noAuthority],
    ['an object of something else', packed({ hello: 1 }), [noUrl, noSecret, noAuthority].join('; ')],
  ];
  for (const [name, text, words] of cases) {
    t.equal(
      codeOf(() => parseInvite(text)),
      'EDW_ERR_HOST_INVITE',
      name,
    );
    t.throws(() => parseInvite(text), { message: `reading an invite: ${words}` }, `${name}, in words for a person`);
  }
});

t.test('a proof holds for one key and one statement', async (t) => {
  const { privateKey, pem } = keyPair('P-256');
  const other = keyPair('P-256');
  const statement = enrolmentStatement('s'.repeat(43), pem);
  const proof = proofFor(statement, privateKey);
  t.ok(isProof(proof, statement, pem));
  t.notOk(isProof(proof, statement, other.pem), 'of another key');
  t.notOk(isProof(proof, enrolmentStatement('t'.repeat(43), pem), pem), 'over another secret');
  t.notOk(isProof(proof, renewalStatement('host-1', pem), pem), 'over a renewal');
  t.notOk(isProof('', statement, pem), 'of nothing');
  t.notOk(isProof(proof, statement, 'no key'), 'for no key');
  const large = keyPair('P-384');
  t.notOk(isProof(proofFor('x', large.privateKey), 'x', large.pem), 'of another kind of key');
});

function keyPair(namedCurve: string): { privateKey: KeyObject; pem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  return { privateKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}
