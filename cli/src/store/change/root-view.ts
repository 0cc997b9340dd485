/** A new trust root against the one in force: who comes and goes, which keys, how many have to agree. */
import { digestOfRoot, type Person, type PublicKey, type TrustRoot } from '@edgeward/policy-format';

/** A line for each difference, in words. */
export function rootChanges(before: TrustRoot, after: TrustRoot): string[] {
  return [
    ...peopleLines(before.people, after.people),
    ...thresholdLines(before, after),
    ...keyLines('store key', before.storeKeys, after.storeKeys),
    ...keyLines('log key', before.logKeys, after.logKeys),
    ...(after.epoch === before.epoch
      ? []
      : [`epoch ${before.epoch} → ${after.epoch}: every point forgets the revision that it has seen`]),
  ];
}

export function rootHead(after: TrustRoot): string {
  return `trust root ${after.version}, fingerprint ${digestOfRoot(after)}`;
}

function peopleLines(before: readonly Person[], after: readonly Person[]): string[] {
  const was = new Map(before.map((person) => [person.name, person]));
  const is = new Map(after.map((person) => [person.name, person]));
  const gone = before.filter(({ name }) => !is.has(name)).map(({ name, roles }) => `${name} goes: ${roles.join(', ')}`);
  const rest = after.flatMap((person) => {
    const { name, roles } = person;
    const old = was.get(name);
    if (old === undefined)
      return [`${name} comes: ${roles.join(', ')}${person.keys.map(({ kid }) => `, key ${kid}`).join('')}`];
    const added = roles.filter((role) => !old.roles.includes(role)).map((role) => `${name} becomes ${role}`);
    const taken = old.roles.filter((role) => !roles.includes(role)).map((role) => `${name} is ${role} no longer`);
    return [...added, ...taken, ...keyLines(`key of ${name}`, old.keys, person.keys)];
  });
  return [...gone, ...rest];
}

function keyLines(what: string, before: readonly PublicKey[], after: readonly PublicKey[]): string[] {
  const has = (keys: readonly PublicKey[], kid: string): boolean => keys.some((key) => key.kid === kid);
  return [
    ...after.filter(({ kid }) => !has(before, kid)).map(({ kid }) => `${what} ${kid} comes`),
    ...before.filter(({ kid }) => !has(after, kid)).map(({ kid }) => `${what} ${kid} goes`),
  ];
}

function thresholdLines({ thresholds: was }: TrustRoot, { thresholds: is }: TrustRoot): string[] {
  const names: [keyof typeof was, string][] = [
    ['normal', 'approvers of a change'],
    ['elevated', 'approvers of a change with a risk'],
    ['root', 'approvers of a trust root'],
    ['breakGlassHours', 'hours of break-glass'],
  ];
  return names.flatMap(([key, says]) => (was[key] === is[key] ? [] : [`${says}: ${was[key]} → ${is[key]}`]));
}
