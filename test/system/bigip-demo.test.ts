/** `npm start -- --bigip`, as whoever tries it first sees it: without a terminal it ends by itself and leaves nothing. */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireNginx, requireTclsh } from '@edgeward/test/kit';
import t from 'tap';
import { start } from '../../cli/test/fixtures/run.ts';
import { ensureBundle } from '../kit/module-bundle.ts';

await requireNginx(t);
await requireTclsh(t);
await ensureBundle();

const cache: Record<string, string> =
  process.env.EDGEWARD_CACHE === undefined ? {} : { EDGEWARD_CACHE: process.env.EDGEWARD_CACHE };

/** The part with this number, up to the next one. */
function part(text: string, number: number): string {
  const from = text.indexOf(`\n${number}. `);
  const to = text.indexOf(`\n${number + 1}. `);
  return from < 0 ? '' : text.slice(from, to < 0 ? undefined : to);
}

t.test('the same rules at NGINX and at a simulated pair, from the first push to the failover', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-bigip-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { ended } = start(t, ['demo', '--bigip'], { ...cache, TMPDIR: folder });
  const { code, out, err } = await ended;
  t.equal(code, 0, err);
  const says: [number, RegExp][] = [
    [4, /200 .*crm-dev-1, env=prod .*shop\.example/],
    [5, /SIMULATED: no BIG-IP is involved/],
    [5, /bigip-a\.example, active, https:\S+ bigip-b\.example, standby, https:/],
    [6, /200 .* 127\.0\.66\.6 .*before: all pass\n/],
    [6, /after {3}\/Edgeward\/eg_enforce_l4_v\d+, \/Edgeward\/eg_enforce_l7_v\d+, \/Common\/orders_headers\n/],
    [7, /200 .*crm-1, .*GET/],
    [7, /403 .*crm-1, .*DELETE/],
    [7, /reset .*nobody we know/],
    [7, /DENY bigip-1 127\.0\.10\.4\(app=crm,.*request-not-allowed; nearest crm-orders: method: .* ref [0-9a-f]{16}\n/],
    [7, /DENY bigip-1 127\.0\.66\.6 → order-front-bigip tcp\/\d+ {2}unknown-source/],
    [8, /200 .*env=prod .*stays open\n.*env=dev\n {3}403 .*the next request on it\n {3}reset .*a new connection\n/],
    [8, /written to data groups: [1-9]\d* times; to rules: 0; to virtual servers: 0\n/],
    [8, /ENFORCING 3 objects, OBSERVING 1 object, revision 3\n/],
    [9, /bigip-b\.example is active now\n {3}200 .*\n {3}403 .*\n {3}reset .*\n {3}both denials are in the ledger\n/],
  ];
  for (const [number, words] of says) t.match(part(out, number), words);
  t.match(
    out,
    /^1\. .*NGINX and BIG-IP\n.*NOT PROTECTED: order-front-bigip, revision 1\n/,
    'and what is not yet is said',
  );
  t.strictSame(readdirSync(folder), [], 'nothing is left');
});
