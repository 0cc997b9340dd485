/** What looks like a way around and is none: on a real NGINX nobody gets in who is denied, and `check` says nothing. */
import t from 'tap';
import { smallPolicy } from '../fixtures/policies.ts';
import { ALLOWED, HOOK, OPEN, onEachStand, server } from './fixtures/stand.ts';

const policy = smallPolicy({ revision: 1, allow: [ALLOWED] });

/** One server for each, so that one reload tries them all. */
const harmless: Record<string, string> = {
  'a set before the hook': `set $mine 1; ${HOOK} ${OPEN}`,
  'an if before the hook that only sets': `if ($request_method = GET) { set $mine 1; } ${HOOK} ${OPEN}`,
  'a rewrite before the hook that goes on': `rewrite ^/old /new; ${HOOK} ${OPEN}`,
  'satisfy any': `${HOOK} satisfy any; allow all; ${OPEN}`,
  'an auth_request, asked afterwards': `${HOOK} location / { auth_request /auth; proxy_pass http://$up; }
    location = /auth { internal; proxy_pass http://$up; }`,
  'an error page for 403': `${HOOK} error_page 403 =200 @app; location @app { proxy_pass http://$up; }`,
  'an error page for 404 in a named location': `${HOOK} error_page 404 =200 @app; location / { return 404; }
    location @app { proxy_pass http://$up; }`,
  'an error page for 400 that only returns': `${HOOK} error_page 400 @bad; location @bad { return 400 bad; } ${OPEN}`,
  'an error page that is a path, in a circle': `${HOOK} error_page 403 404 /e; location = /e { return 404; }`,
  'an access_log off in a location': `${HOOK} location / { access_log off; return 200 open; }`,
  'an access_log of the server': `${HOOK} access_log off; ${OPEN}`,
  'a return and a redirect behind the hook': `${HOOK} return 301 https://elsewhere.example/;`,
  'locations that return, and nested ones': `${HOOK} location / { location /in { return 200 in; } return 200 out; }`,
  'try_files and an internal location': `${HOOK} location / { try_files /none @app; } location @app { return 200 app; }`,
  'a hook written by hand, the right way round': `set $edgeward_port 443; set $edgeward_server order-front;
    if ($edgeward_verdict != "pass") { return 403 "refused"; } ${OPEN}`,
  'a mirror': `${HOOK} location / { mirror /m; return 200 open; } location /m { internal; proxy_pass http://$up; }`,
};

/** What njs has had since 1.0. */
const newer: Record<string, string> = {
  'a js_access of a location, asked afterwards': `${HOOK} location / { js_access broken.fails; proxy_pass http://$up; }`,
};

await onEachStand(t, async (t, stand) => {
  await stand.edge.point().apply(policy);
  t.test('nobody gets in who is denied, and nothing is reported', async (t) => {
    const all = stand.edge.binary.njsVersion.startsWith('0.') ? harmless : { ...harmless, ...newer };
    const names = Object.keys(all);
    const servers = names.map((name, index) => server(`server_name s${index}.example; ${all[name]}`));
    const module = 'js_import broken from $folder/broken.js;';
    await stand.use({
      http: `${module} ${servers.join('')} ${server('server_name plain.example; return 301 https://$host/;')}`,
    });
    for (const [index, name] of names.entries()) {
      const bytes = `GET / HTTP/1.1\r\nHost: s${index}.example\r\nConnection: close\r\n\r\n`;
      t.equal((await stand.ask({ bytes })).status, 403, name);
    }
    t.equal(stand.upstream.requests(), 0, 'and the upstream saw nothing');
    const { findings, servers: seen } = await stand.check({ policy });
    const others = findings.filter(({ code }) => code !== 'EDW_WARN_NGINX_OBJECT_TWICE');
    t.strictSame(others, []);
    t.strictSame(
      [...new Set(seen.map(({ state }) => state))].sort(),
      ['protected', 'push', 'returns'],
      'the push server and the redirect are known as what they are',
    );
  });
});
