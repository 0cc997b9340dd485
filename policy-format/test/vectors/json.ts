/** Bytes that are to be refused before anything in them is believed, or looked at. */
import { addSignature, canonicalJson, type Head, LIMITS } from '@edgeward/policy-format';
import type { Vector } from '../../conformance/vector-files.ts';
import { base64, type Claim, POINT, refusal } from './scenario.ts';

const no = (code: string) => refusal('head', code);

/** The payload of the good head as other text, signed with the store's key all the same. */
const written = (name: string, change: (text: string) => string | Uint8Array, code: string): Claim => ({
  name: `a signed head: ${name}`,
  threat: 'hostile JSON',
  play: async (s) => {
    const text = Buffer.from(s.store.head(POINT).payload, 'base64url').toString();
    const payload = Buffer.from(change(text)).toString('base64url');
    const document = await addSignature({ payload, signatures: [] }, 'edgeward-head/1', s.store.keys.store);
    s.head(no(code), { document });
  },
});

const field = (name: string, change: (head: Head) => unknown): Claim =>
  written(name, (text) => canonicalJson(change(JSON.parse(text))), 'FORMAT_HEAD');

/** The good head in other bytes around its payload. */
const wrapped = (name: string, change: (text: string) => string | Uint8Array, code: string): Claim => ({
  name: `what carries a head: ${name}`,
  threat: 'hostile JSON',
  play: async (s) => {
    s.head(no(code), { bytes: Buffer.from(change(canonicalJson(s.store.head(POINT)))) });
  },
});

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

export const json: readonly Claim[] = [
  written('a key twice', (text) => text.replace('"epoch":1', '"epoch":1,"epoch":2'), 'FORMAT_NOT_CANONICAL'),
  written('white space', (text) => text.replace(',', ', '), 'FORMAT_NOT_CANONICAL'),
  written('a line end after it', (text) => `${text}\n`, 'FORMAT_NOT_CANONICAL'),
  written(
    'keys out of order',
    (text) => text.replace(/^\{("approval":\{[^}]*\}),(.*)\}$/, '{$2,$1}'),
    'FORMAT_NOT_CANONICAL',
  ),
  written('a number in another spelling', (text) => text.replace('"epoch":1', '"epoch":1.0'), 'FORMAT_NOT_CANONICAL'),
  written('a number with an exponent', (text) => text.replace('"epoch":1', '"epoch":1e0'), 'FORMAT_NOT_CANONICAL'),
  written(
    'a number that is too large for any',
    (text) => text.replace('"epoch":1', '"epoch":1e400'),
    'FORMAT_NOT_CANONICAL',
  ),
  written(
    'an escape that is not needed',
    (text) => text.replace('edgeward-head', '\\u0065dgeward-head'),
    'FORMAT_NOT_CANONICAL',
  ),
  written('half a surrogate pair', (text) => text.replace('edge-1', '\\ud800'), 'FORMAT_NOT_CANONICAL'),
  written('__proto__', (text) => text.replace('"aud"', '"__proto__":{},"aud"'), 'FORMAT_NOT_CANONICAL'),
  written('a byte order mark', (text) => `\ufeff${text}`, 'FORMAT_NOT_CANONICAL'),
  written(
    'bytes that are no UTF-8',
    (text) => Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0x7d])]),
    'FORMAT_NOT_CANONICAL',
  ),
  written('a comment', (text) => `${text}//`, 'FORMAT_NOT_CANONICAL'),
  written('cut off', (text) => text.slice(0, -1), 'FORMAT_NOT_CANONICAL'),
  written('nothing', () => '', 'FORMAT_NOT_CANONICAL'),
  written(
    'nested too deep',
    (text) => text.replace('"requires":[]', `"requires":${nested(LIMITS.depth)}`),
    'FORMAT_DEPTH',
  ),
  written('nested so deep that it is too large', () => nested(50_000), 'FORMAT_TOO_LARGE'),
  written(
    'too large',
    (text) => text.replace('"requires":[]', `"requires":["${'a'.repeat(LIMITS.headBytes)}"]`),
    'FORMAT_TOO_LARGE',
  ),
  field('a list', () => []),
  field('nothing at all', () => null),
  field('a field too many', (head) => ({ ...head, more: 1 })),
  field('a field too few', ({ log: _log, ...head }) => head),
  field('another kind', (head) => ({ ...head, typ: 'edgeward-head/2' })),
  field('no revision', (head) => ({ ...head, revision: 0 })),
  field('half a revision', (head) => ({ ...head, revision: 1.5 })),
  field('a revision that is no exact number', (head) => ({ ...head, revision: 2 ** 53 })),
  field('a revision as text', (head) => ({ ...head, revision: '2' })),
  field('an epoch below nothing', (head) => ({ ...head, epoch: -1 })),
  field('a time without milliseconds', (head) => ({ ...head, issuedAt: '2026-11-22T12:00:01Z' })),
  field('a time in another zone', (head) => ({ ...head, issuedAt: '2026-11-22T12:00:01.000+00:00' })),
  field('a day that does not exist', (head) => ({ ...head, expiresAt: '2027-02-30T00:00:00.000Z' })),
  field('an end before its beginning', (head) => ({ ...head, expiresAt: head.issuedAt })),
  field('an end of the far future', (head) => ({ ...head, expiresAt: '2026-12-24T12:00:00.000Z' })),
  field('a digest in capitals', (head) => ({ ...head, stateRoot: head.stateRoot.toUpperCase() })),
  field('a digest with its algorithm', (head) => ({ ...head, stateRoot: `sha256:${head.stateRoot}` })),
  field('a path for a digest', (head) => ({ ...head, rules: { ...head.rules, digest: '../../etc/passwd' } })),
  field('a path for a point', (head) => ({ ...head, aud: '../edge-1' })),
  field('a name with a line end', (head) => ({ ...head, aud: 'edge-1\n' })),
  field('rules larger than rules can be', (head) => ({
    ...head,
    rules: { ...head.rules, bytes: LIMITS.rulesBytes + 1 },
  })),
  field('an approval larger than one can be', (head) => ({
    ...head,
    approval: { ...head.approval, bytes: LIMITS.approvalBytes + 1 },
  })),
  field('an index larger than one can be', (head) => ({
    ...head,
    members: { ...head.members, bytes: LIMITS.indexBytes + 1 },
  })),
  field('features out of order', (head) => ({ ...head, requires: ['until', 'deny'] })),
  field('a feature twice', (head) => ({ ...head, requires: ['deny', 'deny'] })),
  wrapped('a key twice', (text) => text.replace('{', '{"payload":"e30",'), 'FORMAT_NOT_CANONICAL'),
  wrapped('white space', (text) => ` ${text}`, 'FORMAT_NOT_CANONICAL'),
  wrapped('a member too many', (text) => text.replace('{', '{"header":{},'), 'FORMAT_SIGNED'),
  wrapped('a compact JWS', (text) => JSON.stringify(text), 'FORMAT_SIGNED'),
  wrapped('base64 that is not base64url', (text) => text.replace('"payload":"', '"payload":"+/'), 'FORMAT_SIGNED'),
  wrapped('base64url with padding', (text) => text.replace('","signatures"', '=","signatures"'), 'FORMAT_SIGNED'),
  wrapped(
    'more signatures than are looked at',
    (text) => {
      const { payload, signatures } = JSON.parse(text);
      return canonicalJson({ payload, signatures: Array.from({ length: LIMITS.signatures + 1 }, () => signatures[0]) });
    },
    'FORMAT_SIGNED',
  ),
  wrapped('nothing', () => '', 'FORMAT_NOT_CANONICAL'),
  wrapped('a page of a captive portal', () => '<html>Log in</html>', 'FORMAT_NOT_CANONICAL'),
];

/** Bytes and whether they are canonical JSON; what they say is no matter. */
export const canonical: readonly Vector[] = [
  ...(
    [
      ['nothing but an object', '{}', 2],
      ['keys in the order of their UTF-16 units', '{"\u20ac":1,"\ud83d\ude00":2,"\ufb33":3}', 100],
      ['numbers as ECMAScript writes them', '[0,1,-1,1e+21,1e-7,0.1,9007199254740991]', 100],
      ['escapes only where they must be', '["\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028"]', 100],
      ['as deep as may be', nested(LIMITS.depth), 100],
    ] as const
  ).map(([name, text, maxBytes]) => canonicalVector(name, text, maxBytes, null)),
  ...(
    [
      ['one byte too many', '{}', 1, 'FORMAT_TOO_LARGE'],
      ['deeper than may be', nested(LIMITS.depth + 1), 100, 'FORMAT_DEPTH'],
      ['a key twice', '{"a":1,"a":1}', 100, 'FORMAT_NOT_CANONICAL'],
      ['minus nothing', '[-0]', 100, 'FORMAT_NOT_CANONICAL'],
      ['a number without end', '[1e400]', 100, 'FORMAT_NOT_CANONICAL'],
      ['a number that is none', '[NaN]', 100, 'FORMAT_NOT_CANONICAL'],
      ['a digit that nobody reads', '[0.1000]', 100, 'FORMAT_NOT_CANONICAL'],
      ['keys by code points', '{"\ufb33":3,"\ud83d\ude00":2}', 100, 'FORMAT_NOT_CANONICAL'],
      ['__proto__ deep inside', '{"a":[{"__proto__":1}]}', 100, 'FORMAT_NOT_CANONICAL'],
      ['a slash escaped', '["\\/"]', 100, 'FORMAT_NOT_CANONICAL'],
      ['two values', '{}{}', 100, 'FORMAT_NOT_CANONICAL'],
    ] as const
  ).map(([name, text, maxBytes, code]) => canonicalVector(name, text, maxBytes, code)),
];

function canonicalVector(name: string, text: string, maxBytes: number, code: string | null): Vector {
  const expect = code === null ? { accept: {} } : refusal('format', code);
  return { name, steps: [{ request: { do: 'canonical', bytes: base64(Buffer.from(text)), maxBytes }, expect }] };
}
