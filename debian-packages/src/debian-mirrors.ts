/**
 * Where to fetch Debian's packages from: the mirror that this machine uses already, so that a network which allows only
 * that one works, then Debian's own.
 */
import { runProgram } from './program-run.ts';
import type { SystemKind } from './system-kind.ts';

const debianOwn = 'http://deb.debian.org/debian/';
/** Releases whose mirrors hold every suite that is asked for. */
const releases = [
  'stable',
  'testing',
  'oldstable',
  'buster',
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'sid',
  'unstable',
];

export async function debianMirrors(system: SystemKind): Promise<string[]> {
  if (system.kind !== 'debian') return [debianOwn];
  const run = await runProgram(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Identifier: Packages'],
    {
      timeoutMs: 10_000,
    },
  );
  const own = run.stdout.split('\n').flatMap((line) => {
    const [address = '', release = '', component] = line.split(' ');
    return component === 'main' && releases.includes(release) && /^https?:\/\/\S+$/.test(address) ? [address] : [];
  });
  return [...new Set([...own.slice(0, 1), debianOwn])];
}
