import type { CompiledPolicy } from '@edgeward/policy';
import { generateSigningKey, type SigningKey } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import {
  completeHostPolicy,
  formatHeld,
  isHeldIn,
  openHostPolicy,
  type PolicyFloor,
  signHostPolicy,
  signHostPolicyHead,
  writeHostPolicy,
} from '../protocol/index.ts';

const at = '2026-11-23T10:00:00.000Z';
const later = '2026-11-23T10:00:00.001Z';

function policyOf(change: Partial<CompiledPolicy> = {}): CompiledPolicy {
  return { format: 1, point: 'host-1', revision: 7, hash: 'a'.repeat(64), objects: [], ...change };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'taken';
  } catch (thrown) {
    return thrown instanceof EdgewardError && thrown.mend !== '' ? thrown.code : `uncoded: ${String(thrown)}`;
  }
}

t.test('what was signed is opened, and is the same policy', async (t) => {
  const key = await generateSigningKey();
  const policy = policyOf();
  const bytes = await signHostPolicy(policy, at, key);
  const opened = await openHostPolicy(bytes, { aud: 'host-1', keys: [key.publicKey], floor: null });
  t.strictSame(opened.policy, policy);
  t.match(opened.head, { aud: 'host-1', revision: 7, issuedAt: at, policyHash: policy.hash });
  const other = await generateSigningKey();
  const keys = [other.publicKey, key.publicKey];
  t.equal(
    await codeOf(openHostPolicy(bytes, { aud: 'host-1', keys, floor: null })),
    'taken',
    'one key of several will do',
  );
});

t.test('the floor: nothing older, and under one number only what was issued later', async (t) => {
  const key = await generateSigningKey();
  const hash = 'a'.repeat(64);
  const cases: [string, PolicyFloor, string][] = [
    ['a lower floor', { revision: 6, hash: 'b'.repeat(64) }, 'taken'],
    ['the same policy', { revision: 7, hash }, 'taken'],
    ['the same policy, issued earlier', { revision: 7, hash, issuedAt: later }, 'taken'],
    ['a higher floor', { revision: 8, hash }, 'EDW_ERR_HOST_POLICY_OLDER'],
    ['another of the same number', { revision: 7, hash: 'b'.repeat(64) }, 'EDW_ERR_HOST_POLICY_OLDER'],
    [
      'another, issued at the same time',
      { revision: 7, hash: 'b'.repeat(64), issuedAt: at },
      'EDW_ERR_HOST_POLICY_OLDER',
    ],
    ['another, issued later', { revision: 7, hash: 'b'.repeat(64), issuedAt: later }, 'EDW_ERR_HOST_POLICY_OLDER'],
    ['another, issued before', { revision: 7, hash: 'b'.repeat(64), issuedAt: '2026-11-23T09:59:59.999Z' }, 'taken'],
  ];
  const bytes = await signHostPolicy(policyOf(), at, key);
  for (const [name, floor, code] of cases)
    t.equal(await codeOf(openHostPolicy(bytes, { aud: 'host-1', keys: [key.publicKey], floor })), code, name);
});

t.test('what is signed for another host, by another key, or not as it is here, is refused', async (t) => {
  const key = await generateSigningKey();
  const other = await generateSigningKey();
  const own = await signHostPolicy(policyOf(), at, key);
  const cases: [string, Uint8Array, string][] = [
    ['for another host', await signHostPolicy(policyOf({ point: 'host-2' }), at, key), 'EDW_ERR_HOST_POLICY_AUDIENCE'],
    ['by another key', await signHostPolicy(policyOf(), at, other), 'EDW_ERR_HOST_POLICY_SIGNATURE'],
    [
      'its head with another body',
      joined(own, await signHostPolicy(policyOf({ revision: 8 }), at, key)),
      'EDW_ERR_HOST_POLICY_SIGNATURE',
    ],
    ['one byte of the policy more', Buffer.concat([own, Buffer.from(' ')]), 'EDW_ERR_HOST_POLICY_SIGNATURE'],
    ['the policy cut off', own.subarray(0, own.length - 1), 'EDW_ERR_HOST_POLICY_SIGNATURE'],
    ['the head cut off', own.subarray(0, 40), 'EDW_ERR_HOST_POLICY_UNREADABLE'],
    ['nothing', Buffer.alloc(0), 'EDW_ERR_HOST_POLICY_UNREADABLE'],
    ['no JSON', Buffer.from('x\ny'), 'EDW_ERR_HOST_POLICY_UNREADABLE'],
    ['a head without signatures', Buffer.from('{"payload":"","signatures":[]}\n{}'), 'EDW_ERR_HOST_POLICY_SIGNATURE'],
    ['a line without an end', Buffer.alloc(64 * 1024, 0x20), 'EDW_ERR_HOST_POLICY_UNREADABLE'],
    ['another format of policy', await signed(key, { format: 2 }), 'EDW_ERR_HOST_POLICY_UNREADABLE'],
    ['no list of objects', await signed(key, { objects: null }), 'EDW_ERR_HOST_POLICY_UNREADABLE'],
  ];
  for (const [name, bytes, code] of cases)
    t.equal(await codeOf(openHostPolicy(bytes, { aud: 'host-1', keys: [key.publicKey], floor: null })), code, name);
  t.equal(
    await codeOf(openHostPolicy(own, { aud: 'host-1', keys: [], floor: null })),
    'EDW_ERR_HOST_POLICY_SIGNATURE',
    'without any key nothing is believed',
  );
});

t.test(
  'of a policy that is held under another number the head is enough, and nothing else is made of it',
  async (t) => {
    const [key, other] = [await generateSigningKey(), await generateSigningKey()];
    const held = policyOf();
    const moved = policyOf({ revision: 12_345 });
    const headBy = (signer: SigningKey, policy: CompiledPolicy): Promise<Uint8Array> =>
      signHostPolicyHead(policy, writeHostPolicy(held).front, later, signer);
    const kept = Buffer.from(await signHostPolicy(held, at, key));
    const whole = Buffer.from(await signHostPolicy(moved, later, key));
    const head = Buffer.from(await headBy(key, moved));
    const complete = (head: Uint8Array, kept: Uint8Array | null): Promise<Uint8Array | null> =>
      completeHostPolicy(head, [key.publicKey], async (hash) => (hash === held.hash ? kept : null));
    t.strictSame(await complete(head, kept), whole, 'byte for byte what the service would have sent');
    const opened = await openHostPolicy(whole, { aud: 'host-1', keys: [key.publicKey], floor: null });
    t.strictSame(opened.policy, moved);

    const damaged = Buffer.from(kept);
    damaged[damaged.length - 30] = 0x20;
    const cases: [string, Uint8Array, Uint8Array | null][] = [
      ['it is not there any more', head, null],
      ['one byte of it is another', head, damaged],
      ['it is another policy', head, await signHostPolicy(policyOf({ objects: [{} as never] }), at, key)],
      ['it is that of another host', head, await signHostPolicy(policyOf({ point: 'host-2' }), at, key)],
      ['it was written in another order', head, joined(kept, Buffer.from(`\n${JSON.stringify(held)}`))],
      ['it is empty', head, Buffer.from('\n')],
      ['the head is for another host', await headBy(key, { ...moved, point: 'host-2' }), kept.subarray(0, 40)],
      ['the head is signed by a stranger', await headBy(other, moved), kept],
      ['the head names another policy', await headBy(key, { ...moved, hash: 'b'.repeat(64) }), kept],
      ['more than a head came', Buffer.concat([head, Buffer.from('{}')]), kept],
      ['less than a head came', head.subarray(0, -1), kept],
      ['nothing came', Buffer.alloc(0), kept],
    ];
    for (const [name, head, kept] of cases) t.equal(await complete(head, kept).catch(String), null, name);
  },
);

t.test('a host names what it holds, a few of them', (t) => {
  const [one, two] = ['a'.repeat(64), 'b'.repeat(64)];
  t.equal(isHeldIn(formatHeld([one, two]), two), true);
  t.equal(isHeldIn(formatHeld([one]), two), false);
  for (const header of [undefined, '', 'a'.repeat(15), one, '*', ['x', 'y']]) t.equal(isHeldIn(header, one), false);
  t.equal(isHeldIn(formatHeld([two, two, two, two, one]), one), false, 'four at most');
  t.end();
});

/** What only a service of another version would sign. */
function signed(key: SigningKey, change: Record<string, unknown>): Promise<Uint8Array> {
  return signHostPolicy({ ...policyOf(), ...change } as unknown as CompiledPolicy, at, key);
}

function joined(head: Uint8Array, body: Uint8Array): Uint8Array {
  const lineOf = (bytes: Uint8Array): number => bytes.indexOf(0x0a) + 1;
  return Buffer.concat([head.subarray(0, lineOf(head)), body.subarray(lineOf(body))]);
}
