import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { type Review, reviewDump } from '../../driver/review/index.ts';
import { streamPolicy } from '../stream/connecting.ts';
import { FRONT, hook, type ReloadStandOptions, startedStand } from './reload-stand.ts';

await requireNginx(t, 'debian-12');

const stand = await startedStand(t, { http: { 'order-front': FRONT }, stream: ['db'] });
const codes = ({ findings }: Review): string[] => findings.map(({ code }) => code);
const policyOf = (mode: 'enforce' | 'observe'): CompiledPolicy =>
  streamPolicy({ revision: 1, mode, objects: ['db'], ports: ['tcp/1-65535'] });
const policy = policyOf('enforce');

async function reviewed(
  change: Partial<ReloadStandOptions>,
  own: Partial<Parameters<typeof reviewDump>[0]> = {},
): Promise<Review> {
  await stand.configure(change);
  return reviewDump({ dump: await stand.dump(), policy, denyLog: stand.denyLog, open: [], mode: 'reload', ...own });
}

t.test('reload mode as it is meant has no finding, whether its mode is told or not', async (t) => {
  const found = await reviewed({});
  t.strictSame(found.findings, []);
  t.match(
    found.servers
      .filter(({ state }) => state !== 'returns')
      .map(({ state }) => state)
      .sort(),
    ['protected', 'protected', 'push', 'push'],
  );
  t.strictSame(codes(await reviewed({}, { mode: null, policy: null, denyLog: null })), []);
});

t.test('what loses denials, judges nothing or fails open is found', async (t) => {
  const own = hook(stand.folder, 'order-front');
  const log = `access_log ${stand.folder}/log/own.log;`;
  const deny = `access_log ${stand.denyLog} edgeward_deny if=$edgeward_log;`;
  const observed = policyOf('observe');
  const inLocation = `${own} location / { ${log} return 200 "x"; }`;
  const table: [claim: string, found: Review, wanted: string[]][] = [
    ['an access_log of a server', await reviewed(at(`${own} ${log} ${FRONT}`)), ['EDW_WARN_NGINX_ACCESS_LOG']],
    ['access_log off', await reviewed(at(`${own} access_log off; ${FRONT}`)), ['EDW_WARN_NGINX_ACCESS_LOG']],
    ['repeated beside it', await reviewed(at(`${own} ${log} ${deny} ${FRONT}`)), []],
    ['in a location of an enforced server', await reviewed(at(inLocation)), []],
    ['of an observed one', await reviewed(at(inLocation), { policy: observed }), ['EDW_WARN_NGINX_ACCESS_LOG']],
    ['another deny log', await reviewed({}, { denyLog: '/var/log/other.log' }), ['EDW_WARN_NGINX_DENY_LOG']],
    ['a return before the hook', await reviewed(at(`return 301 /x; ${own} ${FRONT}`)), ['EDW_ERR_NGINX_TOO_LATE']],
    [
      'no hook',
      await reviewed(at(`# edgeward: none\n ${FRONT}`)),
      ['EDW_ERR_NGINX_OBJECT_UNUSED', 'EDW_ERR_NGINX_UNPROTECTED'],
    ],
    ['a point in mode live', await reviewed({}, { mode: 'live' }), ['EDW_ERR_NGINX_ZONE_MISSING']],
  ];
  for (const [claim, found, wanted] of table) t.strictSame(codes(found).sort(), wanted, claim);
});

t.test('reload.conf that is missing, or was opened by hand, is an error', async (t) => {
  const dump = await stand.dump();
  const text = await readFile(join(stand.folder, 'snippets/reload.conf'), 'utf8');
  const review = (changed: string): string[] =>
    codes(reviewDump({ dump: changed, policy: null, denyLog: null, open: [], mode: 'reload' }));
  t.ok(dump.includes(text), 'the dump holds it');
  t.ok(review(dump.replace(text, '')).includes('EDW_ERR_NGINX_SNAPSHOT_MISSING'));
  for (const [from, to] of [
    ['default                            1;', 'default 0;'],
    ['"~^observe deny "                  0;', '"~deny " 0;'],
    ['off) allow "', 'off) "'],
  ] as const) {
    t.ok(text.includes(from), from);
    t.ok(review(dump.replace(text, text.replace(from, to))).includes('EDW_ERR_NGINX_FAILS_OPEN'), to);
  }
});

const at = (server: string): Partial<ReloadStandOptions> => ({ http: { 'order-front': server } });
