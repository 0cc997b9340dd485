/** `edgeward nginx check`, `discover` and `whoami`, on dumps and on a program that prints one. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireNginx, testNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { documentsIn, run, type Said } from './fixtures/run.ts';

const HTTP = `js_shared_dict_zone zone=edgeward:64m;
  js_var $edgeward_deny_log /var/log/deny.log;
  map $edgeward_verdict $edgeward_denied { default 1; pass 0; }
  server { listen 127.0.0.1:9180; location /edgeward/ { js_content edgeward.push; } location / { return 404; } }`;
const HOOK = (name: string): string =>
  `set $edgeward_server ${name}; if ($edgeward_denied) { return 403 "Forbidden. Reference: $edgeward_ref\\n"; }`;

const dumpOf = (servers: string): string => `nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
# configuration file /etc/nginx/nginx.conf:
load_module modules/ngx_http_js_module.so;
http {
  ${HTTP}
  include conf.d/*.conf;
}

# configuration file /etc/nginx/conf.d/shop.conf:
${servers}
`;

const SHOP = `server { listen 443 ssl; server_name shop.example www.shop.example; ${HOOK('order-front')} location / { proxy_pass http://10.0.0.1:8080; } }`;
const BEHIND = SHOP.replace('location', 'set_real_ip_from 198.51.100.0/28; real_ip_header X-Forwarded-For; location');
const AROUND = 'server { listen 8081;\n location / { proxy_pass http://10.0.0.1:8080; } }';

interface Place {
  folder: string;
  file(name: string, text: string): string;
  nginx(...args: string[]): Promise<Said>;
}

function place(t: Test): Place {
  const folder = t.testdir({});
  const file = (name: string, text: string): string => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return { folder, file, nginx: (...args) => run(['nginx', ...args]) };
}

const POLICY = `kind: VirtualServer
name: order-front
labels: { app: shop }
point: edge-1
bind: order-front
ports: [tcp/443]
---
kind: Policy
name: p
rules: [{ id: r, from: [{ cidr: 192.0.2.1 }], to: "app == 'shop'" }]
`;

t.test('check names file, line and mend, and ends with 3 for an error and 0 without one', async (t) => {
  const { file, nginx } = place(t);
  const bad = await nginx('check', '--dump', file('bad.txt', dumpOf(`${SHOP}\n${AROUND}`)));
  t.equal(bad.code, 3, bad.err);
  t.match(
    bad.out,
    /^\/etc\/nginx\/conf\.d\/shop\.conf:2 {2}error {2}EDW_ERR_NGINX_WAY_AROUND {2}.*10\.0\.0\.1:8080.*\n {4}\S/m,
  );
  t.match(bad.out, /1 error, no warnings in 2 files, 3 servers, 1 protected; no policy was read/);
  t.match(await nginx('check', '--dump', file('good.txt', dumpOf(SHOP))), {
    code: 0,
    out: /^no errors, no warnings in/,
  });
  t.equal((await nginx('check', '--dump', file('bad.txt', dumpOf(`${SHOP}\n${AROUND}`)), '--open', '8081')).code, 0);
});

t.test('with --strict warnings and what can not be told count; JSON says the same', async (t) => {
  const { file, nginx } = place(t);
  const own = dumpOf(SHOP.replace('location / {', 'deny 10.0.0.9; set_real_ip_from balancer.example; location / {'));
  const dump = file('dump.txt', own);
  t.match(
    [(await nginx('check', '--dump', dump)).code, (await nginx('check', '--dump', dump, '--strict')).code],
    [0, 3],
  );
  const [said] = documentsIn((await nginx('check', '--dump', dump, '--json')).out);
  t.match(said, {
    errors: 0,
    warnings: 1,
    unknown: 1,
    point: null,
    servers: [{ state: 'push' }, { object: 'order-front' }],
  });
});

t.test('with a configuration the policy is held against it', async (t) => {
  const { file, folder, nginx } = place(t);
  file('policies/p.yaml', POLICY);
  const config = file(
    'edgeward.yaml',
    `policies: policies\nstateDir: state\npoints: { edge-1: { denyLog: ${folder}/deny.log } }\n`,
  );
  const dump = file('dump.txt', dumpOf(SHOP.replace('order-front', 'order-frnt')));
  const { code, out, err } = await nginx('check', '--dump', dump, '--config', config);
  t.equal(code, 3, err);
  for (const found of ['OBJECT_UNKNOWN', 'OBJECT_UNUSED', 'DENY_LOG'])
    t.match(out, `EDW_${found === 'DENY_LOG' ? 'WARN' : 'ERR'}_NGINX_${found}`);
  t.match(await nginx('check', '--dump', dump, '--config', config, '--point', 'edge-9'), {
    err: /EDW_ERR_UNKNOWN_POINT/,
  });
});

t.test('where the policy comes from a store none is read, and that is said', async (t) => {
  const { file, nginx } = place(t);
  const store = 'store: { urls: ["file:///srv/mirror"], rootFile: root.json }';
  const config = file('edgeward.yaml', `${store}\nstateDir: state\npoints: { edge-1: {} }\n`);
  const said = await nginx('check', '--config', config, '--dump', file('dump.txt', dumpOf(SHOP)));
  t.match(said.err, /comes from a store/);
  t.match(said.out, /no policy was read/);
});

t.test('what docs/nginx.md shows is what is said', async (t) => {
  const { file, nginx } = place(t);
  file('policies/p.yaml', POLICY);
  const config = file(
    'edgeward.yaml',
    'policies: policies\nstateDir: state\npoints: { edge-1: { denyLog: /var/log/deny.log } }\n',
  );
  const page = readFileSync(new URL('../../docs/nginx.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/^```text\n([\s\S]*?)```$/gm)].map(([, text]) => text ?? '');
  const checked = await nginx('check', '--config', config, '--dump', file('bad.txt', dumpOf(`${SHOP}\n${AROUND}`)));
  t.ok(blocks.includes(checked.out), checked.out + checked.err);
  const line = /^edgeward nginx (whoami .*)$/m.exec(page)?.[1] ?? '';
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  const asked = await nginx(...words, '--dump', file('lb.txt', dumpOf(BEHIND)));
  t.ok(blocks.includes(asked.out), asked.out + asked.err);
});

t.test('a program is run with -T; what it refuses is told in its own words', async (t) => {
  const { file, nginx } = place(t);
  const program = (name: string, body: string): string => {
    const path = file(name, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const dump = file('dump.txt', dumpOf(SHOP));
  const good = program('good', `[ "$1" = -T ] && cat '${dump}'`);
  t.match(await nginx('check', '--nginx', good), { code: 0 });
  const bad = program('bad', `echo 'nginx: [emerg] unknown directive "js_import" in /etc/nginx/x.conf:4' >&2; exit 1`);
  t.match(await nginx('check', '--nginx', bad), {
    code: 78,
    err: /EDW_ERR_NGINX_CONFIG[\s\S]*js_import[\s\S]*load_module/,
  });
  t.match(await nginx('check', '--nginx', '/nowhere/nginx'), { code: 78, err: /EDW_ERR_NGINX_DUMP/ });
  t.match(await nginx('check', '--dump', file('none.txt', 'server {}')), { code: 78, err: /EDW_ERR_NGINX_DUMP/ });
  t.match(await nginx('check', '--dump', '/nowhere/x'), { code: 78, err: /EDW_ERR_NGINX_DUMP/ });
  t.match(await nginx('check', '--dump', dump, '--nginx', good), { code: 2, err: /exclude each other/ });
  t.match(await run(['nginx', 'check', '--dump', '-'], { stdin: dumpOf(SHOP) }), { code: 0 });
});

t.test('a real NGINX whose module is not loaded: which line loads it is told, for http and for stream', async (t) => {
  await requireNginx(t, 'debian-13');
  const { binary } = await testNginx('debian-13');
  const { folder, file, nginx } = place(t);
  const { command, modulesDir } = binary;
  const program = file(
    'nginx',
    `#!/bin/sh\nexec ${command.join(' ')} -p ${folder} -c ${folder}/nginx.conf -e stderr "$@"\n`,
  );
  chmodSync(program, 0o755);
  const http = `load_module ${modulesDir}/ngx_http_js_module.so;`;
  const stream = `load_module ${modulesDir}/ngx_stream_module.so;`;
  for (const [text, module] of [
    ['http { js_import edgeward from x.js; }', 'ngx_http_js_module.so'],
    [`${http} ${stream} stream { js_import edgeward from x.js; }`, 'ngx_stream_js_module.so'],
    [`${http} ${stream} stream { server { listen 1; js_access edgeward.streamVerdict; } }`, 'ngx_stream_js_module.so'],
  ] as const) {
    file('nginx.conf', `pid nginx.pid;\n${text}\nevents { }\n`);
    t.match(
      await nginx('check', '--nginx', program),
      { code: 78, err: new RegExp(`EDW_ERR_NGINX_CONFIG[\\s\\S]*${module}`) },
      text,
    );
  }
});

t.test('what is discovered is what `edgeward check` takes; no file is replaced', async (t) => {
  const { file, folder, nginx } = place(t);
  const names = ['_', '*.wild.example', '"~^www\\d+\\."', '"evil\u001b[31m"', '""'];
  const odd = names.map(
    (name, index) => `server { listen ${9000 + index}; server_name ${name}; location / { proxy_pass http://$host; } }`,
  );
  const dump = file(
    'dump.txt',
    dumpOf([SHOP, AROUND, ...odd, 'server { listen 80; return 301 https://$host; }'].join('\n')),
  );
  const out = join(folder, 'policies/edge-1.yaml');
  mkdirSync(join(folder, 'policies'));
  const said = await nginx('discover', '--point', 'edge-1', '--dump', dump, '--out', out);
  t.match(said, { code: 0, out: /^wrote 7 documents/ }, said.err);
  const text = readFileSync(out, 'utf8');
  t.match(text, /# can't be protected: 80 \(.*shop\.conf:\d+\): it answers everybody/);
  t.match(text, /bind: order-front\nports: \[ tcp\/443 \]\nprotocol: http\nmode: observe/);
  t.notMatch(text, '\u001b');
  t.match(await run(['check', join(folder, 'policies')]), { code: 0 });
  t.match(await nginx('discover', '--point', 'edge-1', '--dump', dump, '--out', out), {
    code: 2,
    err: /exists already/,
  });
  t.equal(readFileSync(out, 'utf8'), text);
  const [json] = documentsIn((await nginx('discover', '--point', 'edge-1', '--dump', dump, '--json')).out);
  t.match(json, { point: 'edge-1', file: null, servers: { length: 9 } });
});

t.test('what the policy binds already is left out', async (t) => {
  const { file, nginx } = place(t);
  file('policies/p.yaml', POLICY);
  const config = file('edgeward.yaml', 'policies: policies\nstateDir: state\npoints: { edge-1: {} }\n');
  const args = [
    'discover',
    '--point',
    'edge-1',
    '--config',
    config,
    '--dump',
    file('dump.txt', dumpOf(`${SHOP}\n${AROUND}`)),
  ];
  const { out } = await nginx(...args);
  t.match(out, /1 that the policy binds already are left out/);
  t.notMatch(out, 'bind: order-front');
  t.match((await nginx(...args, '--all')).out, /the policy binds it already[\s\S]*bind: order-front/);
});

t.test('whoami says whose address is judged, and why', async (t) => {
  const { file, nginx } = place(t);
  const dump = file('dump.txt', dumpOf(BEHIND));
  const args = ['whoami', '--dump', dump, '--header', 'X-Forwarded-For: 203.0.113.7'];
  t.match(await nginx(...args, '--from', '198.51.100.3'), {
    code: 0,
    out: /^shop\.example .* judges 203\.0\.113\.7\n {4}198\.51\.100\.3 connects\n/,
  });
  t.match((await nginx(...args, '--from', '192.0.2.9')).out, /judges 192\.0\.2\.9\n[\s\S]*none of those/);
  t.match((await nginx(...args, '--from', 'unix:')).out, /nobody: denied as unknown-source/);
  t.match(await nginx(...args, '--from', 'me'), { code: 2, err: /'me' is no address/ });
  t.match(await nginx('whoami', '--dump', dump, '--from', '::1', '--header', 'nothing'), {
    code: 2,
    err: /is no header/,
  });
  t.notOk(existsSync('state'), 'nothing was written');
});
