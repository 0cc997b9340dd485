/** Names that become parts of documents, paths and subjects: each kind has one pattern, and it stands here. */

/** A name of the policy language: of a point, a person, an object. No slash, no white space, nothing that is a path. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value);
}

/** What `groupIdOf` of the policy core makes. */
export function isGroupId(value: unknown): value is string {
  return typeof value === 'string' && GROUP.test(value);
}

export const NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
export const GROUP: RegExp = /^g\.[0-9a-f]{16}$/;
