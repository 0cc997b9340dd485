import type { Person } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import { OWN_NAMES } from '../record/own-names.ts';

/**
 * Whether the people of a trust root can be told apart from what the record calls its own. Points read no record: to them
 * such a root is as good as any, so this is asked where a store takes one. Throws EDW_ERR_ROOT_PEOPLE.
 */
export function requirePeopleNames(people: readonly Pick<Person, 'name'>[], what: string): void {
  const found = people.find(({ name }) => OWN_NAMES.includes(name));
  if (found === undefined) return;
  throw new EdgewardError(
    'EDW_ERR_ROOT_PEOPLE',
    `${what}: a person is called ${found.name}, as the record calls what no person does`,
    { mend: `Give this person another name; ${OWN_NAMES.join(' and ')} are not for people.` },
  );
}
