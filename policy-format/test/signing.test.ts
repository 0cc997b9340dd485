import { generateSigningKey, goodSignatures, sign, signersOf } from '@edgeward/policy-format';
import { FlattenedSign, flattenedVerify, importJWK } from 'jose';
import t from 'tap';

const value = { typ: 'edgeward-head/1', n: 1 };

t.test('what is signed here is JWS to another implementation', async (t) => {
  const key = await generateSigningKey();
  const { payload, signatures } = await sign(value, [key]);
  const publicKey = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: key.publicKey.x }, 'Ed25519');
  const [signature] = signatures;
  const seen = await flattenedVerify({ payload, protected: '', signature: '', ...signature }, publicKey);
  t.strictSame(seen.protectedHeader, { alg: 'Ed25519', kid: key.kid, typ: value.typ });
});

t.test('what another implementation signs is good here, and nothing else of it', async (t) => {
  const key = await generateSigningKey();
  const { payload } = await sign(value, []);
  const header = { alg: 'Ed25519', kid: key.kid, typ: value.typ };
  const made = new FlattenedSign(Buffer.from(payload, 'base64url')).setProtectedHeader(header);
  const signed = await made.sign(await importJWK(key.jwk, 'Ed25519'));
  const { protected: protectedHeader = '', signature } = signed;
  const by = (changes: object) =>
    signersOf({ payload, signatures: [{ protected: protectedHeader, signature, ...changes }] }, value.typ, [
      key.publicKey,
    ]);
  t.ok((await by({})).has(key.kid));
  const bytes = Buffer.from(signature, 'base64url');
  const other = Buffer.from(bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))).toString('base64url');
  t.equal((await by({ signature: other })).size, 0, 'one bit of it is another');
  t.equal((await by({ signature: bytes.subarray(0, 63).toString('base64url') })).size, 0, 'it is too short');
  t.equal((await by({ signature: Buffer.concat([bytes, bytes]).toString('base64url') })).size, 0, 'it is too long');
  t.equal((await by({ signature: '' })).size, 0, 'there is none');
  const elsewhere = { kid: key.kid, x: (await generateSigningKey()).publicKey.x };
  const document = { payload, signatures: [{ protected: protectedHeader, signature }] };
  t.equal((await signersOf(document, value.typ, [elsewhere])).size, 0, 'the key is another');
});

t.test('a signature that held vouches for nothing but itself', async (t) => {
  const key = await generateSigningKey();
  const other = await generateSigningKey();
  const document = await sign(value, [key]);
  const [signature = { protected: '', signature: '' }] = document.signatures;
  const signatures = goodSignatures();
  const by = (changes: object, keys = [key.publicKey], typ = value.typ) =>
    signersOf({ ...document, ...changes }, typ, keys, signatures);
  for (const time of ['first', 'second']) t.strictSame([...(await by({}))], [key.kid], time);
  const elsewhere = (await sign(Object.assign({}, value, { n: 2 }), [])).payload;
  t.equal((await by({ payload: elsewhere })).size, 0, 'another payload');
  t.equal((await by({}, [{ kid: key.kid, x: other.publicKey.x }])).size, 0, 'another key under its id');
  t.equal((await by({}, [other.publicKey])).size, 0, 'a root that does not name the key');
  t.equal((await by({}, [key.publicKey], 'edgeward-root/1')).size, 0, 'another type');
  const flipped = `${signature.signature.startsWith('A') ? 'B' : 'A'}${signature.signature.slice(1)}`;
  for (const time of ['first', 'second']) {
    const changed = { signatures: [{ ...signature, signature: flipped }] };
    t.equal((await by(changed)).size, 0, `another signature, the ${time} time`);
  }
});

t.test('of signatures that held few are kept, the newest', async (t) => {
  const signatures = goodSignatures();
  for (let n = 0; n < 1_000; n += 1) signatures.add(`${n}`);
  const kept = Array.from({ length: 1_000 }, (_, n) => n).filter((n) => signatures.has(`${n}`));
  t.strictSame(
    kept,
    Array.from({ length: 128 }, (_, n) => 872 + n),
  );
});
