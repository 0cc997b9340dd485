/** `--person ada:author,approver=ada.pub`, as often as there are people. */
import { isName, type Person, type Role } from '@edgeward/policy-format';
import { didYouMean } from '../../frame/nearest-name.ts';
import { usageError } from '../../frame/usage-error.ts';
import { readPublicKey } from '../keys/signing-key-file.ts';

const ROLES: readonly Role[] = ['viewer', 'author', 'approver', 'publisher', 'auditor'];

/** Throws EDW_ERR_USAGE, EDW_ERR_KEY. */
export async function readPeople(texts: readonly string[], command: string): Promise<Person[]> {
  const people: Person[] = [];
  for (const text of texts) {
    const person = await readPerson(text, command);
    if (people.some(({ name }) => name === person.name))
      throw usageError(`--person: ${person.name} is named twice`, command, 'Write all roles in one --person.');
    people.push(person);
  }
  return people;
}

async function readPerson(text: string, command: string): Promise<Person> {
  const [, name = '', listed = '', file] = /^([^:=]+):([^=]+)(?:=(.+))?$/.exec(text) ?? [];
  if (!isName(name))
    throw usageError(`--person: '${text}' is no person`, command, 'Write ada:author,approver=ada.key.pub.');
  const roles = listed.split(',').map((role) => readRole(role.trim(), text, command));
  if (new Set(roles).size !== roles.length) throw usageError(`--person: '${text}' names a role twice`, command);
  if (file === undefined) {
    const signs = roles.find((role) => role === 'author' || role === 'approver');
    if (signs === undefined) return { name, roles, keys: [] };
    throw usageError(`--person: ${name} is ${signs} and has no key`, command, `Write ${text}=FILE.pub.`);
  }
  const { kid, x, name: said } = await readPublicKey(file);
  if (said !== undefined && said !== name)
    throw usageError(`--person: the key in ${file} says that it is of ${said}, not of ${name}`, command);
  return { name, roles, keys: [{ kid, x }] };
}

function readRole(text: string, person: string, command: string): Role {
  const role = ROLES.find((it) => it === text);
  if (role !== undefined) return role;
  const hint = `Roles are ${ROLES.join(', ')}.${didYouMean(text, ROLES)}`;
  throw usageError(`--person: '${person}' has an unknown role '${text}'`, command, hint);
}
