import type { CompiledPolicy } from '@edgeward/policy';
import { generateSigningKey, type SigningKey } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { openHostPolicy, type PolicyFloor, signHostPolicy } from '../protocol/index.ts';

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

/** What only a service of another version would sign. */
function signed(key: SigningKey, change: Record<string, unknown>): Promise<Uint8Array> {
  return signHostPolicy({ ...policyOf(), ...change } as unknown as CompiledPolicy, at, key);
}

function joined(head: Uint8Array, body: Uint8Array): Uint8Array {
  const lineOf = (bytes: Uint8Array): number => bytes.indexOf(0x0a) + 1;
  return Buffer.concat([head.subarray(0, lineOf(head)), body.subarray(lineOf(body))]);
}
