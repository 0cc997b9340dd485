/** The package on each suite of Debian, side by side: most of it is waiting, and what is installed is built once. */
import t from 'tap';
import { requireContainers } from './containers.ts';
import { packageClaims } from './package-claims.ts';
import { buildPackages } from './packages.ts';

await requireContainers(t);
t.setTimeout(600_000);
t.jobs = 2;
const packages = buildPackages(t);
await Promise.all([
  t.test('the package on Debian 12', (t) => packageClaims(t, 'bookworm', packages)),
  t.test('the package on Debian 13', (t) => packageClaims(t, 'trixie', packages)),
]);
