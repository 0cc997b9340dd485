/**
 * Mistakes that let a request past the hook, each on a real NGINX: with the mistake it passes and `check` says so; with
 * the mend it does not, and `check` is silent.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { testCertificates } from '@edgeward/test/kit';
import t from 'tap';
import { smallPolicy } from '../fixtures/policies.ts';
import { type Case, PROTECTED, secondStatus, status, tryCases, UP } from './fixtures/cases.ts';
import {
  ALLOWED,
  type ConfigurationText,
  DENIED,
  HOOK,
  OPEN,
  onEachStand,
  type Stand,
  server,
} from './fixtures/stand.ts';

const policy = smallPolicy({ revision: 1, allow: [ALLOWED] });

const CLOSED_MAP = 'default 1; pass 0;';

/** A hook that throws, in a configuration that somebody wrote by hand. */
const failing = (map: string, hook: string): ConfigurationText => ({
  included: false,
  http: `js_import broken from $folder/broken.js; js_shared_dict_zone zone=edgeward:1m; js_var $edgeward_server '';
    js_set $edgeward_verdict broken.fails; map $edgeward_verdict $edgeward_denied { ${map} }
    ${server(`set $edgeward_server order-front; ${hook} ${OPEN}`)}`,
});

const cases: Case[] = [
  {
    claim: 'a server without the two lines answers everybody',
    code: 'EDW_ERR_NGINX_UNPROTECTED',
    wrong: server(OPEN),
    mended: PROTECTED,
    look: status,
    seen: [200, 403],
  },
  {
    claim: 'a server on another port leads around, by an upstream or by an address',
    code: 'EDW_ERR_NGINX_WAY_AROUND',
    wrong: `upstream app { server $up; } ${server(`${HOOK} location / { proxy_pass http://app; }`)} ${server(UP, '$2')}`,
    mended: `${server(`${HOOK} ${UP}`)} ${server(`${HOOK} ${UP}`, '$2')}`,
    look: secondStatus,
    seen: [200, 403],
  },
  {
    claim: 'a stream server leads around',
    code: 'EDW_ERR_NGINX_STREAM_AROUND',
    wrong: {
      main: 'load_module $modules/ngx_stream_module.so; stream { server { listen $2; proxy_pass $up; } }',
      http: server(`${HOOK} ${UP}`),
    },
    mended: { main: 'load_module $modules/ngx_stream_module.so;', http: server(`${HOOK} ${UP}`) },
    look: secondStatus,
    seen: [200, 0],
  },
  ...Object.entries({
    return: 'return 200 early;',
    'return in an if': 'if ($request_method = GET) { return 200 early; }',
    break: 'break;',
    'break in an if': 'if ($request_method = GET) { break; }',
    'rewrite that is the last': 'rewrite ^ /elsewhere last;',
    'rewrite that breaks': 'rewrite ^ /elsewhere break;',
  }).map(([what, line]) => ({
    claim: `what stands before the hook is not judged: a ${what}`,
    code: 'EDW_ERR_NGINX_TOO_LATE',
    wrong: server(`${line} ${HOOK} ${OPEN}`),
    mended: server(`${HOOK} ${line} ${OPEN}`),
    look: status,
    seen: [200, 403] as [number, number],
  })),
  {
    claim: 'a rewrite that redirects answers before the hook',
    code: 'EDW_ERR_NGINX_TOO_LATE',
    wrong: server(`rewrite ^ https://elsewhere.example/; ${HOOK} ${OPEN}`),
    mended: server(`${HOOK} rewrite ^ https://elsewhere.example/;`),
    look: status,
    seen: [302, 403],
  },
  {
    claim: 'a hook in a location leaves the others open',
    code: 'EDW_ERR_NGINX_IN_LOCATION',
    wrong: server(`location /shop { ${HOOK} return 200 shop; } ${OPEN}`),
    mended: server(`${HOOK} location /shop { return 200 shop; } ${OPEN}`),
    look: status,
    seen: [200, 403],
  },
  ...Object.entries({
    400: 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
    405: 'TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    494: `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(9000)}\r\n\r\n`,
    501: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nothing\r\nConnection: close\r\n\r\n',
  }).map(([code, bytes]) => ({
    claim: `an error page for ${code} that is a named location is reached unjudged`,
    code: 'EDW_ERR_NGINX_NAMED_ERROR_PAGE',
    wrong: server(`${HOOK} error_page ${code} =200 @app; location @app { proxy_pass http://$up; }`),
    mended: server(`${HOOK} error_page ${code} =200 /app; location /app { proxy_pass http://$up; }`),
    look: async ({ ask, upstream }: Stand) => {
      const before = upstream.requests();
      await ask({ bytes });
      return upstream.requests() - before;
    },
    seen: [1, 0] as [number, number],
  })),
  {
    claim: 'a refusal without a text is answered by an error page',
    code: 'EDW_ERR_NGINX_REFUSAL_REPLACED',
    wrong: server(
      'set $edgeward_port 443; set $edgeward_server order-front; if ($edgeward_denied) { return 403; } error_page 403 =200 @app; location @app { return 200 app; }',
    ),
    mended: server(`${HOOK} error_page 403 =200 @app; location @app { return 200 app; }`),
    look: status,
    seen: [200, 403],
  },
  {
    claim: 'whoever asks for the word of refusal lets the empty verdict of a hook that failed in',
    code: 'EDW_ERR_NGINX_FAILS_OPEN',
    wrong: failing(CLOSED_MAP, 'if ($edgeward_verdict = "deny") { return 403 "refused"; }'),
    mended: failing(CLOSED_MAP, 'if ($edgeward_denied) { return 403 "refused"; }'),
    look: status,
    seen: [200, 403],
  },
  {
    claim: 'a map that denies only what is called denied lets it in too',
    code: 'EDW_ERR_NGINX_FAILS_OPEN',
    wrong: failing('default 0; deny 1;', 'if ($edgeward_denied) { return 403 "refused"; }'),
    mended: failing(CLOSED_MAP, 'if ($edgeward_verdict != pass) { return 403 "refused"; }'),
    look: status,
    seen: [200, 403],
  },
];

await onEachStand(t, async (t, stand) => {
  await stand.edge.point().apply(policy);
  tryCases(t, stand, policy, cases);

  t.test('so it is with errors of TLS: plain HTTP to a TLS port, and a client without a certificate', async (t) => {
    const certificates = await testCertificates(join(stand.edge.paths.folder, 'tls'));
    const { certFile, keyFile, caFile } = await certificates.server();
    const tls = `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ssl_client_certificate ${caFile}; ssl_verify_client on;`;
    const tried = async (target: string): Promise<[number, boolean]> => {
      const page = `error_page 496 497 =200 ${target}; location ${target} { proxy_pass http://$up; }`;
      await stand.use({ http: server(`${tls} ${HOOK} ${page}`, '$1 ssl') });
      const before = stand.upstream.requests();
      await stand.ask();
      await overTls(stand.edge.port);
      const codes = (await stand.check({ policy })).findings.map(({ code }) => code);
      return [stand.upstream.requests() - before, codes.includes('EDW_ERR_NGINX_NAMED_ERROR_PAGE')];
    };
    t.strictSame(await tried('@app'), [2, true], 'a named location');
    t.strictSame(await tried('/app'), [0, false], 'a path');
  });
});

/** Without a certificate of its own; to the end of the answer. */
async function overTls(port: number): Promise<void> {
  const plain = connect({ port, host: '127.0.0.1', localAddress: DENIED });
  const socket = connectTls({ socket: plain, rejectUnauthorized: false });
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
}
