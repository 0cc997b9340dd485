/** What `ipset list -t` and `ipset save` print, read. Pure. */
export interface SetHeader {
  name: string;
  type: string;
  maxelem: number;
  entries: number;
  /** Rules, and lists of sets, that name it. */
  references: number;
}

export function parseSetHeaders(text: string): SetHeader[] {
  return text
    .split('\n\n')
    .filter((part) => part.includes('Name: '))
    .map((part) => {
      const field = (name: string): string => part.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1] ?? '';
      return {
        name: field('Name'),
        type: field('Type'),
        maxelem: Number(/ maxelem (\d+)/.exec(field('Header'))?.[1] ?? 0),
        entries: Number(field('Number of entries')),
        references: Number(field('References')),
      };
    });
}

/** Of every set that has any. */
export function parseAllMembers(text: string): Map<string, string[]> {
  const sets = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, set = '', member] = /^add (\S+) (\S+)/.exec(line) ?? [];
    if (member === undefined) continue;
    const members = sets.get(set) ?? [];
    members.push(member);
    sets.set(set, members);
  }
  return sets;
}

/** The members in the order of the kernel, which is none. */
export function parseSavedMembers(text: string, set: string): string[] {
  const start = `add ${set} `;
  return text
    .split('\n')
    .filter((line) => line.startsWith(start))
    .map((line) => line.slice(start.length).trim());
}
