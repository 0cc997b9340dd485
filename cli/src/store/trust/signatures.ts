/** Who has signed a proposal, by the keys of the trust root that this machine knows; what the store says of it counts for nothing. */
import { peopleWhoSigned, type Role, type SignedDocument, type TrustRoot, whoCanSign } from '@edgeward/policy-format';

/** In the order of the root. Two keys of one person are one person. */
export async function namesWhoSigned(document: SignedDocument, typ: string, root: TrustRoot): Promise<string[]> {
  return (await peopleWhoSigned(document, typ, root)).map(({ name }) => name);
}

/** Who could sign as this. */
export function namesWithRole(root: TrustRoot, role: Role): string[] {
  return whoCanSign(root, role).map(({ name }) => name);
}
