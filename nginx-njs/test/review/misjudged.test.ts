/**
 * Mistakes that have the hook judge something else than was meant, or lose what it says, each on a real NGINX: seen with
 * the mistake, when `check` says so, and not with the mend, when it is silent.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { compileDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { eventually } from '../fixtures/asking.ts';
import { largePolicy, smallPolicy } from '../fixtures/policies.ts';
import { allowedStatus, type Case, PROTECTED, status, tryCases } from './fixtures/cases.ts';
import { ALLOWED, HOOK, OPEN, onEachStand, server } from './fixtures/stand.ts';

const policy = smallPolicy({ revision: 1, allow: [ALLOWED] });

const claims = (address: string): string => `X-Forwarded-For: ${address}`;

const cases: Case[] = [
  {
    claim: 'who believes everybody lets everybody say who they are',
    code: 'EDW_ERR_NGINX_REALIP_ANYBODY',
    wrong: server(`set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; ${HOOK} ${OPEN}`),
    mended: server(`set_real_ip_from 192.0.2.0/28; real_ip_header X-Forwarded-For; ${HOOK} ${OPEN}`),
    look: async ({ ask }) => (await ask({ headers: [claims(ALLOWED)] })).status,
    seen: [200, 403],
  },
  {
    claim: 'two halves are everybody too',
    code: 'EDW_ERR_NGINX_REALIP_ANYBODY',
    wrong: `set_real_ip_from 0.0.0.0/1; set_real_ip_from 128.0.0.0/1; real_ip_header X-Forwarded-For; ${PROTECTED}`,
    mended: `set_real_ip_from 192.0.2.1; set_real_ip_from 128.0.0.0/1; real_ip_header X-Forwarded-For; ${PROTECTED}`,
    look: async ({ ask }) => (await ask({ headers: [claims(ALLOWED)] })).status,
    seen: [200, 403],
  },
  {
    claim: 'realip in a location comes after the verdict, which judged the balancer',
    code: 'EDW_ERR_NGINX_REALIP_LOCATION',
    wrong: server(`${HOOK} location / { set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; return 200 in; }`),
    mended: server(`set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; ${HOOK} ${OPEN}`),
    look: async ({ ask }) => (await ask({ from: ALLOWED, headers: [claims('192.0.2.7')] })).status,
    seen: [200, 403],
  },
  {
    claim: 'the address of the PROXY protocol counts only where it is taken',
    code: 'EDW_WARN_NGINX_PROXY_PROTOCOL',
    wrong: server(`${HOOK} ${OPEN}`, '$1 proxy_protocol'),
    mended: server(`set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol; ${HOOK} ${OPEN}`, '$1 proxy_protocol'),
    look: async ({ ask }) => {
      const bytes = 'PROXY TCP4 192.0.2.7 127.0.0.1 4000 80\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
      return (await ask({ from: ALLOWED, bytes })).status;
    },
    seen: [200, 403],
  },
  {
    claim: 'without http.conf nothing is judged',
    code: 'EDW_ERR_NGINX_ZONE_MISSING',
    wrong: { included: false, http: server(OPEN) },
    mended: PROTECTED,
    look: status,
    seen: [200, 403],
  },
  {
    claim: 'a name that the policy does not have is denied to everybody',
    code: 'EDW_ERR_NGINX_OBJECT_UNKNOWN',
    wrong: server(`${HOOK.replace('order-front', 'order-frnt')} ${OPEN}`),
    mended: PROTECTED,
    look: allowedStatus,
    seen: [403, 200],
  },
  {
    claim: 'an object that no server names is not enforced',
    code: 'EDW_ERR_NGINX_OBJECT_UNUSED',
    wrong: server(OPEN),
    mended: PROTECTED,
    look: status,
    seen: [200, 403],
  },
  {
    claim: 'a server without a name denies everybody',
    code: 'EDW_WARN_NGINX_NAMELESS',
    wrong: server(`set $edgeward_port 443; include $conf/protect.conf; set $edgeward_server order-front; ${OPEN}`),
    mended: PROTECTED,
    look: allowedStatus,
    seen: [403, 200],
  },
  {
    claim: 'a port that the object does not list is denied to everybody',
    code: 'EDW_WARN_NGINX_PORT_NOT_LISTED',
    wrong: server(`${HOOK.replace('set $edgeward_port 443;', '')} ${OPEN}`),
    mended: PROTECTED,
    look: allowedStatus,
    seen: [403, 200],
  },
  {
    claim: 'a deny log of its own is one that nobody reads',
    code: 'EDW_WARN_NGINX_DENY_LOG',
    wrong: server(`set $edgeward_deny_log $folder/other.log; ${HOOK} ${OPEN}`),
    mended: PROTECTED,
    look: async ({ edge, ask }) => {
      const before = (await edge.denials()).length;
      await ask();
      return (await edge.denials()).length - before;
    },
    seen: [0, 1],
  },
  {
    claim: 'an access_log of a server cancels the one that would show its denials',
    code: 'EDW_WARN_NGINX_ACCESS_LOG',
    wrong: `log_format denials "$status $edgeward_ref"; access_log $folder/access.log denials if=$edgeward_denied;
      ${server(`access_log off; ${HOOK} ${OPEN}`)}`,
    mended: `log_format denials "$status $edgeward_ref"; access_log $folder/access.log denials if=$edgeward_denied;
      ${server(`${HOOK} location / { access_log off; return 200 open; }`)}`,
    look: async ({ edge, ask }) => {
      const lines = async (): Promise<number> =>
        (await readFile(`${edge.paths.folder}/access.log`, 'utf8')).split('\n').length;
      const before = await lines();
      await ask();
      // Of one worker: when it answers this, it has logged the other.
      await ask({ from: ALLOWED });
      return (await lines()) - before;
    },
    seen: [0, 1],
  },
  {
    claim: 'deny of its own refuses who is allowed, and leaves no event',
    code: 'EDW_WARN_NGINX_OWN_ACCESS',
    wrong: server(`${HOOK} location / { deny all; }`),
    mended: PROTECTED,
    look: async ({ edge, ask }) => {
      const before = (await edge.denials()).length;
      return [(await ask({ from: ALLOWED })).status, (await edge.denials()).length - before];
    },
    seen: [
      [403, 0],
      [200, 0],
    ],
  },
];

await onEachStand(t, async (t, stand) => {
  const point = stand.edge.point();
  await point.apply(policy);
  tryCases(t, stand, policy, cases);

  t.test('two servers of one object can not be told apart in the events', async (t) => {
    const both = (second: string): string =>
      `${PROTECTED} ${server(`${HOOK.replace('order-front', second)} ${OPEN}`, '$2')}`;
    const two = smallPolicy({ revision: 2, allow: [ALLOWED], objects: ['order-front', 'admin-front'] });
    await point.apply(two);
    for (const [second, objects] of [
      ['order-front', ['order-front', 'order-front']],
      ['admin-front', ['order-front', 'admin-front']],
    ] as const) {
      await stand.use({ http: both(second) });
      await stand.ask();
      await stand.ask({ second: true });
      t.strictSame(
        (await stand.edge.denials()).slice(-2).map(({ object }) => object),
        objects,
      );
      const codes = (await stand.check({ policy: two })).findings.map(({ code }) => code);
      t.equal(codes.includes('EDW_WARN_NGINX_OBJECT_TWICE'), second === 'order-front', codes.join());
    }
  });

  t.test('where the request chooses the object, a client chooses the one that lets it in', async (t) => {
    const front = (name: string, app: string): unknown => ({
      ...{
        kind: 'VirtualServer',
        name,
        labels: { app },
        point: 'edge-1',
        bind: name,
        ports: ['tcp/443'],
        mode: 'enforce',
      },
    });
    const rule = (id: string, app: string, cidr: string): unknown => ({ id, from: [{ cidr }], to: `app == '${app}'` });
    const documents = [
      front('order-front', 'shop'),
      front('public-front', 'web'),
      { kind: 'Policy', name: 'p', rules: [rule('a', 'shop', ALLOWED), rule('b', 'web', '127.0.0.0/8')] },
    ];
    await point.apply(compileDocuments(documents, { revision: 3 }));
    const asked = async (name: string): Promise<number> => {
      await stand.use({ http: server(`${HOOK.replace('order-front', name)} ${OPEN}`) });
      return (await stand.ask({ path: '/?o=public-front' })).status;
    };
    t.equal(await asked('$arg_o'), 200);
    const { findings } = await stand.check();
    t.match(findings, [{ severity: 'unknown', code: 'EDW_WARN_NGINX_OBJECT_VARIABLE' }]);
    t.equal(await asked('order-front'), 403);
    t.strictSame((await stand.check()).findings, []);
  });

  t.test('a zone with a timeout forgets the policy, and one that is too small takes none', async (t) => {
    const large = largePolicy(4, 400);
    const { snippets } = stand.edge.paths;
    const written = await readFile(`${snippets}/http.conf`, 'utf8');
    t.teardown(() => writeFile(`${snippets}/http.conf`, written));
    const zone = async (words: string): Promise<string[]> => {
      await writeFile(`${snippets}/http.conf`, written.replace('zone=edgeward:4m', `zone=edgeward:${words}`));
      await stand.use({ http: PROTECTED });
      return (await stand.check({ policy: large })).findings.map(({ code }) => code);
    };
    const isWhole = async (): Promise<boolean> => {
      const actual = await point.inspect();
      return actual.state === 'loaded' && actual.drift.length === 0;
    };
    t.strictSame(await zone('5m timeout=1s'), ['EDW_ERR_NGINX_ZONE_FORGETS']);
    t.equal((await point.apply(large)).revision, 4);
    t.ok(await eventually(async () => !(await isWhole())), 'forgotten');
    t.strictSame(await zone('5m timeout=1h evict'), ['EDW_ERR_NGINX_ZONE_FORGETS']);
    t.strictSame(await zone('64k'), ['EDW_ERR_NGINX_ZONE_SMALL']);
    await t.rejects(point.apply(large), { code: 'EDW_ERR_ZONE_TOO_SMALL' });
    t.strictSame(await zone('4m'), []);
    t.equal((await point.apply(large)).revision, 4);
    t.ok(await isWhole());
  });
});
