import t from 'tap';
import { requireContainers } from './containers.ts';
import { packageClaims } from './package-claims.ts';

await requireContainers(t);
t.setTimeout(600_000);
await t.test('the package on Debian 12', (t) => packageClaims(t, 'bookworm'));
