import type { GoodSignatures } from './good-signatures.ts';
import { type SignedDocument, signersOf } from './signing.ts';
import type { Person, PublicKey, Role, TrustRoot } from './trust-root.ts';

/** The people of a trust root whose signature holds, each once: two keys of one person are one person. */
export async function peopleWhoSigned(
  document: SignedDocument,
  typ: string,
  root: TrustRoot,
  signatures?: GoodSignatures,
): Promise<Person[]> {
  const keys = root.people.flatMap((person) => person.keys);
  const kids = await signersOf(document, typ, keys, signatures);
  return root.people.filter((person) => person.keys.some(({ kid }) => kids.has(kid)));
}

export function namesWithRole(people: readonly Person[], role: Role): Set<string> {
  return new Set(people.filter((person) => person.roles.includes(role)).map(({ name }) => name));
}

/** People with this role who have a key at all. */
export function whoCanSign(root: TrustRoot, role: Role): Person[] {
  return root.people.filter((person) => person.roles.includes(role) && person.keys.length > 0);
}

/** None of somebody whom the root does not name. */
export function keysOf(root: TrustRoot, name: string): PublicKey[] {
  return root.people.find((person) => person.name === name)?.keys ?? [];
}
