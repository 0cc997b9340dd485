/** A name of the policy language: of a point, a person, an object. No slash, no white space, nothing that is a path. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value);
}

export const NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
