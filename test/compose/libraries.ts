/** Which libraries of package-lock.json the `edgeward` command runs with, compared with a list of them. */

interface Locked {
  link?: boolean;
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** `taken` names folders; one of a scope takes all that is in it. */
export function libraries(lock: string, taken: readonly string[]): { missing: string[]; needless: string[] } {
  const { packages } = JSON.parse(lock) as { packages: Record<string, Locked> };
  const needed = [...closureOf('cli', packages)].filter((path) => path.startsWith('node_modules/'));
  const isIn = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  const external = needed.filter((path) => packages[path]?.link !== true);
  return {
    missing: external.filter((path) => !taken.some((folder) => isIn(path, folder))),
    needless: taken.filter((folder) => !external.some((path) => isIn(path, folder))),
  };
}

function closureOf(start: string, packages: Record<string, Locked>): Set<string> {
  const seen = new Set<string>();
  const waiting = [start];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const { link, resolved, dependencies, optionalDependencies } = packages[at] ?? {};
    if (link === true && resolved !== undefined) waiting.push(resolved);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = placeOf(name, at, packages);
      if (found !== null) waiting.push(found);
    }
  }
  return seen;
}

/** As Node looks: here, then in each folder above. */
function placeOf(name: string, from: string, packages: Record<string, Locked>): string | null {
  const folders = from.split('/');
  for (let depth = folders.length; depth >= 0; depth -= 1) {
    const path = [...folders.slice(0, depth), 'node_modules', name].join('/');
    if (path in packages) return path;
  }
  return null;
}
