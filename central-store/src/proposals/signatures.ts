import { type PublicKey, type SignedDocument, signersOf } from '@edgeward/policy-format';

/** The document with those signatures alone that hold under one of these keys, one a key. */
export async function signaturesBy(
  document: SignedDocument,
  typ: string,
  keys: readonly PublicKey[],
): Promise<SignedDocument> {
  const seen = new Set<string>();
  const signatures: SignedDocument['signatures'] = [];
  for (const signature of document.signatures) {
    const signers = await signersOf({ payload: document.payload, signatures: [signature] }, typ, keys);
    const [kid] = signers;
    if (kid === undefined || seen.has(kid)) continue;
    seen.add(kid);
    signatures.push(signature);
  }
  return { payload: document.payload, signatures };
}

/** Both documents are of one payload, and hold good signatures alone. */
export function withSignatures(document: SignedDocument, added: SignedDocument): SignedDocument {
  const known = new Set(document.signatures.map((it) => it.protected));
  const fresh = added.signatures.filter((it) => !known.has(it.protected));
  return { payload: document.payload, signatures: [...document.signatures, ...fresh] };
}
