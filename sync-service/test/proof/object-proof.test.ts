/** What an object is said to be, from what its proofs said. */
import t from 'tap';
import { type Known, type LastProof, type ProofState, standing } from '../../src/proof/object-proof.ts';
import type { ProofPlace } from '../../src/proof/proof-address.ts';
import type { FailureKind } from '../../src/proof/proof-finding.ts';

const url = 'https://127.0.0.1:443';
const nowMs = 1_000_000;
const last = (own: Partial<LastProof> = {}): LastProof => ({
  url,
  provenAtMs: nowMs - 30_000,
  revision: 7,
  flows: ['allow', 'deny'],
  ...own,
});
const failure = (kind: FailureKind): Known['failure'] => ({
  ...{ state: 'failed', kind, words: 'seen', holdsFor: 'object' },
});
const given: ProofPlace = { state: 'given', at: { url } };
const guessed: ProofPlace = { state: 'guessed', at: { url } };

const cases: [name: string, place: ProofPlace, known: Known, state: ProofState, why: RegExp | null][] = [
  ['never asked', given, { last: null, failure: null }, 'unproven', /^not asked yet$/],
  ['just proven', given, { last: last(), failure: null }, 'proven', null],
  ['proven at the bound', given, { last: last({ provenAtMs: nowMs - 180_000 }), failure: null }, 'proven', null],
  [
    'proven before it',
    given,
    { last: last({ provenAtMs: nowMs - 180_001 }), failure: null },
    'stale',
    /no proof since/,
  ],
  ['off', { state: 'none', why: 'off' }, { last: last(), failure: null }, 'unproven', /^off$/],
  ['not refused where we are told to ask', given, { last: null, failure: failure('not-refused') }, 'failed', /^seen$/],
  ['no answer, never proven', given, { last: null, failure: failure('no-answer') }, 'unproven', /^seen$/],
  ['no answer, proven before', guessed, { last: last(), failure: failure('no-answer') }, 'stale', /^seen$/],
  ['not refused where it was proven', guessed, { last: last(), failure: failure('not-refused') }, 'failed', /^seen$/],
  [
    'not refused at a guess',
    guessed,
    { last: null, failure: failure('not-refused') },
    'unproven',
    /^seen; the address is a guess: name it in proof\.objects\.order-front\.url of this point$/,
  ],
  [
    'not refused at a guess, proven elsewhere once',
    guessed,
    { last: last({ url: 'https://127.0.0.1:8443' }), failure: failure('other-object') },
    'unproven',
    /a guess/,
  ],
];

t.test('a failure counts where a proof could succeed, and a proof as long as it is fresh', async (t) => {
  for (const [name, place, known, state, why] of cases) {
    const found = standing('order-front', place, known, { nowMs, everyMs: 60_000 });
    t.match(found, { object: 'order-front', state, why }, name);
  }
});
