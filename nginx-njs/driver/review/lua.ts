/** Lua that runs before the hook of a server, its own or inherited: what it does is not read, so that is all that is said. */
import type { Directive } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { inherited, type Server } from './servers.ts';

/** By directive without `_block` and `_file`: what can't be told. `http` hands each of them down. */
const EARLY: Record<string, string> = {
  server_rewrite_by_lua: 'answers before the hook: it runs in the same phase',
  ssl_client_hello_by_lua: 'does something with a connection before the hook: it runs in the TLS handshake',
  ssl_certificate_by_lua: 'does something with a connection before the hook: it runs in the TLS handshake',
  ssl_session_fetch_by_lua: 'does something with a connection before the hook: it runs in the TLS handshake',
  ssl_session_store_by_lua: 'does something with a connection before the hook: it runs in the TLS handshake',
};
const FORMS = ['', '_block', '_file'];

export function luaFindings({ block, hook, title }: Server, http: readonly Directive[]): ServerFinding[] {
  const early = Object.entries(EARLY).flatMap(([name, words]) => {
    const own = FORMS.flatMap((form) => block.filter((it) => it.name === name + form));
    const found = own.length > 0 ? own : FORMS.flatMap((form) => inherited({ block }, http, name + form));
    return found.map((directive) => luaFinding(directive, title, words));
  });
  const until = hook === null ? 0 : block.indexOf(hook.directive);
  const setting = block.slice(0, until).filter(({ name }) => /^set_by_lua(_block|_file)?$/.test(name));
  const words = 'names another object, or another port, than is written here: it runs before the hook';
  return [...early, ...setting.map((directive) => luaFinding(directive, title, words))];
}

function luaFinding(directive: Directive, title: string, words: string): ServerFinding {
  return finding('unknown', 'EDW_WARN_NGINX_LUA', directive, `can't tell whether Lua in ${title} ${words}`);
}
