/** Heads that a point must not believe: of yesterday, of elsewhere, of nobody. */
import { addSignature, canonicalJson, type Head, type SignedDocument } from '@edgeward/policy-format';
import { createSignedWorld, seededKey, simpleSlices } from '../../../test/kit/signed-world.ts';
import { type Claim, GROUP, POINT, refusal, type Scenario } from './scenario.ts';

const no = (code: string) => refusal('head', code);

/** A head that the store's key signs, and what becomes of it. */
const forged = (name: string, change: (head: Head) => unknown, code: string, threat?: string): Claim => ({
  name,
  ...(threat === undefined ? {} : { threat }),
  play: async (s) => {
    const document = await s.store.forge(POINT, (head) => change(head) as Head);
    s.head(no(code), { document });
  },
});

/** The good head under another protected header. */
const headed = (name: string, header: Record<string, unknown>): Claim => ({
  name,
  threat: 'wrong keys',
  play: async (s) => {
    const { payload, signatures } = s.store.head(POINT);
    const altered = Buffer.from(
      canonicalJson({ alg: 'Ed25519', kid: s.store.keys.store.kid, typ: 'edgeward-head/1', ...header }),
    );
    const signature = signatures[0]?.signature ?? '';
    s.head(no('HEAD_UNSIGNED'), {
      document: { payload, signatures: [{ protected: altered.toString('base64url'), signature }] },
    });
  },
});

export const order: readonly Claim[] = [
  {
    name: 'an older revision',
    threat: 'rollback',
    play: async (s) => {
      const old = s.store.head(POINT);
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head();
      s.head(no('HEAD_ROLLBACK'), { document: old });
    },
  },
  {
    name: 'an older revision, where the state was lost and the floor was not',
    threat: 'rollback',
    play: async (s) => {
      const old = s.store.head(POINT);
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head();
      s.restart('state');
      s.head(no('HEAD_ROLLBACK'), { document: old });
      s.head();
    },
  },
  {
    name: 'another state under the same revision',
    threat: 'rollback',
    play: async (s) => {
      s.head();
      s.store.revision -= 1;
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head(no('HEAD_CONFLICT'));
    },
  },
  {
    name: 'an older issue of the same state',
    threat: 'freeze',
    play: async (s) => {
      const old = s.store.head(POINT);
      await s.store.refresh();
      s.head();
      s.head(no('HEAD_ROLLBACK'), { document: old });
    },
  },
  {
    name: 'the same issue of the same state with another expiry',
    threat: 'freeze',
    play: async (s) => {
      s.head();
      const expiresAt = '2026-12-01T00:00:00.000Z';
      s.head(no('HEAD_ROLLBACK'), { document: await s.store.forge(POINT, (head) => ({ ...head, expiresAt })) });
    },
  },
  {
    name: 'a higher epoch that no trust root says',
    threat: 'fast-forward',
    play: async (s) => {
      s.head();
      s.head(no('HEAD_EPOCH'), { document: await s.store.forge(POINT, (head) => ({ ...head, epoch: 2 })) });
    },
  },
  {
    name: 'the epoch before that of the trust root',
    threat: 'rollback',
    play: async (s) => {
      const old = s.store.head(POINT);
      await s.store.changeRoot((root) => ({ ...root, epoch: 2 }));
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head();
      s.head(no('HEAD_EPOCH'), { document: old });
    },
  },
  {
    name: 'a revision further on than any store comes',
    threat: 'fast-forward',
    play: async (s) => {
      s.head();
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      const ahead = (by: number) => s.store.forge(POINT, (head) => ({ ...head, revision: 1 + by }));
      s.head(no('HEAD_JUMP'), { document: await ahead(2 ** 32 + 1) });
      s.head(no('HEAD_JUMP'), { document: await ahead(Number.MAX_SAFE_INTEGER - 1) });
      s.head(null, { document: await ahead(2 ** 32) });
    },
  },
  {
    name: 'as far as an epoch goes, where there is no floor and where the next one begins',
    threat: 'fast-forward',
    play: async (s) => {
      const numbered = (revision: number) => s.store.forge(POINT, (head) => ({ ...head, revision }));
      s.head(no('HEAD_JUMP'), { document: await numbered(2 ** 37 + 1) });
      s.head(no('HEAD_JUMP'), { document: await numbered(Number.MAX_SAFE_INTEGER) });
      s.head(null, { document: await numbered(2 ** 37) });
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head(no('HEAD_JUMP'), { document: await numbered(2 ** 37 + 1) });
      await s.store.changeRoot((root) => ({ ...root, epoch: 2 }));
      s.store.revision = 2 ** 37;
      await s.store.move({ [GROUP]: ['10.30.0.4'] });
      s.head();
      s.head(no('HEAD_JUMP'), { document: await numbered(3 * 2 ** 36 + 1) });
    },
  },
  forged('a trust root that is not to be had', (head) => ({ ...head, root: 2 }), 'HEAD_ROOT'),
  forged(
    'a feature that is not known',
    (head) => ({ ...head, requires: ['geo-ip'] }),
    'HEAD_REQUIRES',
    'unknown requires',
  ),
];

export const origin: readonly Claim[] = [
  {
    name: 'the head of another point',
    threat: 'swapped audiences',
    play: async (s) => {
      s.head(no('HEAD_AUDIENCE'), { document: s.store.head('edge-2') });
      s.head();
      s.head(no('HEAD_AUDIENCE'), { document: s.store.head('edge-2') });
    },
  },
  {
    name: 'the head of another store, signed with its key',
    threat: 'wrong keys',
    play: async (s) => {
      const other = await createSignedWorld({ seed: 'elsewhere' });
      await other.publish(simpleSlices());
      s.head(no('HEAD_UNSIGNED'), { document: other.head(POINT) });
    },
  },
  forged(
    'the id of another store, signed with the right key',
    (head) => ({ ...head, store: 'f'.repeat(32) }),
    'HEAD_STORE',
  ),
  ...(['bob', 'alice'] as const).map((name) =>
    signedBy(`the key of a person: ${name}`, (s) => s.store.keys.people[name]),
  ),
  signedBy('the key of the record', (s) => s.store.keys.log),
  signedBy('a key that nobody knows', () => seededKey('nobody')),
  {
    name: 'a key that a newer trust root has dropped',
    threat: 'expired keys',
    play: async (s) => {
      const old = s.store.keys.store;
      const key = await seededKey('the next store key');
      await s.store.changeRoot((root) => ({ ...root, storeKeys: [key.publicKey] }));
      s.store.useStoreKey(key);
      await s.store.move({ [GROUP]: ['10.30.0.3'] });
      s.head();
      const later = await s.store.forge(POINT, (head) => ({ ...head, revision: head.revision + 1 }), old);
      s.head(no('HEAD_UNSIGNED'), { document: later });
    },
  },
  shaped('no signature at all', ({ payload }) => ({ payload, signatures: [] })),
  shaped('a bit of the signature flipped', ({ payload, signatures }) => ({
    payload,
    signatures: signatures.map((it) => ({ ...it, signature: flipped(it.signature) })),
  })),
  shaped('a payload that was changed after it was signed', ({ payload, signatures }) => ({
    payload: Buffer.from(Buffer.from(payload, 'base64url').toString().replace('"revision":1', '"revision":2')).toString(
      'base64url',
    ),
    signatures,
  })),
  headed('a header for another kind of document', { typ: 'edgeward-approval/1' }),
  headed('a header that names no algorithm', { alg: 'none' }),
  headed('a header that names a symmetric algorithm', { alg: 'HS256' }),
  headed('a header with the name that RFC 8037 gave it', { alg: 'EdDSA' }),
  headed('a header that names another key', { kid: 'AAAAAAAAAAAAAAAA' }),
  headed('a header with a member too many', { crit: ['b64'], b64: false }),
  {
    name: 'a signature over another kind of document',
    threat: 'wrong keys',
    play: async (s) => {
      const { payload } = s.store.head(POINT);
      const document = await addSignature({ payload, signatures: [] }, 'edgeward-checkpoint/1', s.store.keys.store);
      s.head(no('HEAD_UNSIGNED'), { document });
    },
  },
];

function signedBy(
  name: string,
  key: (s: Scenario) => Promise<Scenario['store']['keys']['store']> | Scenario['store']['keys']['store'],
): Claim {
  return {
    name,
    threat: 'wrong keys',
    play: async (s) => {
      s.head(no('HEAD_UNSIGNED'), { document: await s.store.forge(POINT, (head) => head, await key(s)) });
    },
  };
}

function shaped(name: string, change: (good: SignedDocument) => SignedDocument): Claim {
  return {
    name,
    threat: 'poisoned mirror',
    play: async (s) => s.head(no('HEAD_UNSIGNED'), { document: change(s.store.head(POINT)) }),
  };
}

function flipped(base64url: string): string {
  const bytes = Buffer.from(base64url, 'base64url');
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  return bytes.toString('base64url');
}
