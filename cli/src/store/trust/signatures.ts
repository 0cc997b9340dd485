/** Who has signed a proposal, by the keys of the trust root that this machine knows; what the store says of it counts for nothing. */
import { type Person, type Role, type SignedDocument, signersOf, type TrustRoot } from '@edgeward/policy-format';

/** Names, in the order of the root. Two keys of one person are one person. */
export async function peopleWhoSigned(document: SignedDocument, typ: string, root: TrustRoot): Promise<string[]> {
  const kids = await signersOf(
    document,
    typ,
    root.people.flatMap(({ keys }) => keys),
  );
  return root.people.filter(({ keys }) => keys.some(({ kid }) => kids.has(kid))).map(({ name }) => name);
}

function withRole(root: TrustRoot, role: Role): Person[] {
  return root.people.filter(({ roles, keys }) => roles.includes(role) && keys.length > 0);
}

export function namesWithRole(root: TrustRoot, role: Role): string[] {
  return withRole(root, role).map(({ name }) => name);
}
