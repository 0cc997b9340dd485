/** What `check` says of a configuration, where severity or what can't be told is the subject; no NGINX is needed. */
import t from 'tap';
import { reviewDump } from '../../driver/review/review.ts';

const ZONE = 'js_shared_dict_zone zone=edgeward:64m;';
const HOOK = 'set $edgeward_server a; if ($edgeward_denied) { return 403 "x"; }';
const PASS = 'location / { proxy_pass http://10.0.0.1:8080; }';

const STREAM_ZONE = 'js_shared_dict_zone zone=edgeward_stream:64m;';
const STREAM_HOOK = 'set $edgeward_server b; js_access edgeward.streamVerdict;';
const MODULES = 'load_module modules/ngx_http_js_module.so; load_module modules/ngx_stream_js_module.so;';

/** What is found in stream { }, where stream.conf is included. */
function stream(inside: string, open: string[] = [], zone = STREAM_ZONE): string[] {
  return found(`} stream { ${zone} ${inside}`, open);
}

/** `severity code` of each, in order. */
function found(http: string, open: string[] = [], main = MODULES): string[] {
  const dump = `# configuration file /etc/nginx/nginx.conf:\n${main}\nhttp {\n${ZONE}\n${http}\n}\n`;
  return reviewDump({ dump, policy: null, denyLog: null, open }).findings.map((it) => `${it.severity} ${it.code}`);
}

const cases: [string, string[], string[]][] = [
  [
    'a server that only this machine reaches is a warning',
    found(`server { listen 127.0.0.1:80; ${PASS} }`),
    ['warning EDW_ERR_NGINX_UNPROTECTED'],
  ],
  [
    'one of two listeners is enough for an error',
    found(`server { listen 127.0.0.1:80; listen 81; ${PASS} }`),
    ['error EDW_ERR_NGINX_UNPROTECTED'],
  ],
  [
    'a unix socket is of this machine',
    found(`server { listen unix:/run/x.sock; ${PASS} }`),
    ['warning EDW_ERR_NGINX_UNPROTECTED'],
  ],
  ['a server without listen takes port 80', found(`server { ${PASS} }`), ['error EDW_ERR_NGINX_UNPROTECTED']],
  [
    'a name, or a listener, says that a server is open',
    found(`server { listen 81; server_name b c; ${PASS} }`, ['c']),
    [],
  ],
  ['a redirect hands out nothing', found('server { listen 80; return 301 https://$host$request_uri; }'), []],
  [
    'a redirect in a location leaves the others',
    found('server { listen 80; location / { return 301 https://$host; } }'),
    ['error EDW_ERR_NGINX_UNPROTECTED'],
  ],
  [
    'a server that pushes and hands out more is no push server',
    found(`server { listen 80; location /edgeward/ { js_content edgeward.push; } ${PASS} }`),
    ['error EDW_ERR_NGINX_UNPROTECTED'],
  ],
  [
    'an upstream of another name, at one address',
    found(
      `upstream u { server 10.0.0.1:8080; } server { ${HOOK} ${PASS} } server { listen 81; location / { proxy_pass http://u/x; } }`,
    ),
    ['error EDW_ERR_NGINX_WAY_AROUND'],
  ],
  [
    'HTTP/3 is not served yet',
    found(`server { listen 443 quic; listen 443 ssl; ${HOOK} ${PASS} }`),
    ['unknown EDW_WARN_NGINX_HTTP3'],
  ],
  [
    'who a name is, NGINX knows',
    found(`set_real_ip_from lb.example; server { ${HOOK} ${PASS} }`),
    ['unknown EDW_WARN_NGINX_REALIP_NAME'],
  ],
  ['all of IPv6', found(`set_real_ip_from ::/0; server { ${HOOK} ${PASS} }`), ['error EDW_ERR_NGINX_REALIP_ANYBODY']],
  [
    'all of IPv6 that is given out',
    found(`set_real_ip_from 2000::/3; server { ${HOOK} ${PASS} }`),
    ['error EDW_ERR_NGINX_REALIP_ANYBODY'],
  ],
  [
    'what a server says replaces what http says',
    found(`set_real_ip_from ::/0; server { set_real_ip_from 192.0.2.1; ${HOOK} ${PASS} }`),
    [],
  ],
  [
    'Lua that may answer first',
    found(`server { ${HOOK} server_rewrite_by_lua_block { ngx.exit(200) } ${PASS} }`),
    ['unknown EDW_WARN_NGINX_LUA'],
  ],
  [
    'Lua of http, which a server without any inherits',
    found(`server_rewrite_by_lua_file /x.lua; server { ${HOOK} ${PASS} }`),
    ['unknown EDW_WARN_NGINX_LUA'],
  ],
  [
    'Lua in the TLS handshake, of the server and of http',
    found(
      `ssl_client_hello_by_lua_file /x.lua; ssl_certificate_by_lua_file /x.lua;
      server { ${HOOK} ssl_certificate_by_lua_block { x() } ${PASS} }`,
    ),
    ['unknown EDW_WARN_NGINX_LUA', 'unknown EDW_WARN_NGINX_LUA'],
  ],
  [
    'Lua that sets a variable before the hook',
    found(`server { set_by_lua_block $x { ngx.var.edgeward_server = "b" } ${HOOK} ${PASS} }`),
    ['unknown EDW_WARN_NGINX_LUA'],
  ],
  [
    'Lua that sets one behind it, and Lua of locations',
    found(`server { ${HOOK} set_by_lua_block $x { y() } location / { access_by_lua_block { y() } } ${PASS} }`),
    [],
  ],
  [
    'mail, of which nothing is judged',
    found(`server { ${HOOK} ${PASS} } }\nmail { server { listen 127.0.0.1:25; } server { listen 143; protocol imap; }`),
    ['warning EDW_WARN_NGINX_MAIL', 'warning EDW_WARN_NGINX_MAIL'],
  ],
  [
    'a mail server may be open, by its name or listener',
    found(`server { ${HOOK} ${PASS} } }\nmail { server { listen 25; server_name mx; } server { listen 143; }`, [
      'mx',
      '143',
    ]),
    [],
  ],
  [
    'an error page whose target is a variable',
    found(`server { error_page 400 $to; ${HOOK} ${PASS} }`),
    ['unknown EDW_ERR_NGINX_NAMED_ERROR_PAGE'],
  ],
  [
    'no load_module',
    found(`js_import e from /x.js; server { ${HOOK} ${PASS} }`, [], ''),
    ['unknown EDW_WARN_NGINX_MODULE'],
  ],
  [
    'totals that are forgotten are a warning',
    found(`js_shared_dict_zone zone=edgeward_counts:1m type=number timeout=1h; server { ${HOOK} ${PASS} }`),
    ['warning EDW_ERR_NGINX_ZONE_FORGETS'],
  ],
  [
    'so is what waits of a flood',
    found(`js_shared_dict_zone zone=edgeward_folds:1m type=number evict timeout=1h; server { ${HOOK} ${PASS} }`),
    ['warning EDW_ERR_NGINX_ZONE_FORGETS'],
  ],
  [
    'a name that is set on a condition',
    found(`server { if ($x) { set $edgeward_server b; } ${HOOK.replace('set $edgeward_server a;', '')} ${PASS} }`),
    ['unknown EDW_WARN_NGINX_OBJECT_VARIABLE'],
  ],
  [
    'a stream server of ours is protected',
    found(
      `server { ${HOOK} ${PASS} } }\nstream { ${STREAM_ZONE} server { listen 5432; ${STREAM_HOOK} proxy_pass 10.0.0.1:8080; }`,
    ),
    [],
  ],
  [
    'a js_access of somebody else takes an inherited one out of force',
    stream(`js_access edgeward.streamVerdict; server { listen 5432; js_access own.access; proxy_pass 10.0.0.2:1; }`),
    ['error EDW_ERR_NGINX_STREAM_UNPROTECTED'],
  ],
  [
    'an inherited one protects, and the name is its own',
    stream(`js_access edgeward.streamVerdict; server { listen 5432; set $edgeward_server a; proxy_pass 10.0.0.2:1; }`),
    [],
  ],
  [
    'what is set behind the hook counts in stream, and the last of it',
    stream(`server { listen 5432; ${STREAM_HOOK} set $edgeward_server $x; proxy_pass 10.0.0.2:1; }`),
    ['unknown EDW_WARN_NGINX_OBJECT_VARIABLE'],
  ],
  [
    'a stream server may be open, by its listener',
    stream('server { listen 5432; proxy_pass 10.0.0.2:1; }', ['5432']),
    [],
  ],
  ['one that only returns hands out nothing', stream('server { listen 5432; return x; }'), []],
  [
    'a push server is none that is judged',
    stream('server { listen 127.0.0.1:9181; js_preread edgeward.streamPush; return $edgeward_answer; }'),
    [],
  ],
  [
    'the hook without a zone denies everything',
    found(`} stream { server { listen 5432; ${STREAM_HOOK} proxy_pass 10.0.0.2:1; }`),
    ['error EDW_ERR_NGINX_STREAM_ZONE_MISSING'],
  ],
  [
    'a zone of stream that forgets',
    stream(
      `server { listen 5432; ${STREAM_HOOK} proxy_pass 10.0.0.2:1; }`,
      [],
      'js_shared_dict_zone zone=edgeward_stream:1m evict;',
    ),
    ['error EDW_ERR_NGINX_ZONE_FORGETS'],
  ],
  [
    'can not tell whether the module of stream is there',
    found(`} stream { ${STREAM_ZONE}`, [], 'load_module modules/ngx_http_js_module.so;'),
    ['unknown EDW_WARN_NGINX_MODULE'],
  ],
  [
    'a server of http leads around one of stream',
    stream(`server { listen 5432; ${STREAM_HOOK} proxy_pass 10.0.0.1:8080; } } http { server { listen 81; ${PASS} }`),
    ['error EDW_ERR_NGINX_WAY_AROUND'],
  ],
  [
    'one that is not leads around',
    found(`server { ${HOOK} ${PASS} } }\nstream { server { listen 5432; proxy_pass 10.0.0.1:8080; }`),
    ['error EDW_ERR_NGINX_STREAM_AROUND'],
  ],
];

t.test('severity is what can happen, and what can not be told is said', async (t) => {
  for (const [claim, said, expected] of cases) t.strictSame(said, expected, claim);
});
