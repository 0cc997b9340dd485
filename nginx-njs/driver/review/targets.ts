/**
 * Where a server leads: the addresses behind its `proxy_pass` and its likes, upstreams resolved. Two servers that share
 * one lead to the same service. Names are compared as they are written; nothing is looked up.
 */
import { blocksNamed, type Directive, everyDirective } from './configuration.ts';

const PASSES = new Set(['proxy_pass', 'grpc_pass', 'fastcgi_pass', 'uwsgi_pass', 'scgi_pass', 'memcached_pass']);

export interface Targets {
  /** `10.0.0.1:80`, `unix:/run/app.sock`. */
  addresses: Set<string>;
  /** As written; those hold a variable, and lead wherever it says. */
  variable: string[];
}

/** By the name of the upstream, what its `server` lines say. */
export type Upstreams = ReadonlyMap<string, readonly string[]>;

/** Of `http` or `stream`. */
export function upstreamsOf(block: readonly Directive[]): Upstreams {
  return new Map(
    blocksNamed(block, 'upstream').map(({ args, block: inside }) => [
      args[0] ?? '',
      (inside ?? []).filter(({ name }) => name === 'server').map((it) => withPort(it.args[0] ?? '', '80')),
    ]),
  );
}

export function targetsOf(server: Directive, upstreams: Upstreams): Targets {
  const targets: Targets = { addresses: new Set(), variable: [] };
  for (const { name, args } of everyDirective(server.block ?? [])) {
    const [to = ''] = args;
    if (!PASSES.has(name) || to === '') continue;
    const { authority, port } = authorityOf(to);
    if (authority.includes('$')) targets.variable.push(to);
    else for (const address of upstreams.get(authority) ?? [withPort(authority, port)]) targets.addresses.add(address);
  }
  return targets;
}

function authorityOf(to: string): { authority: string; port: string } {
  const [, scheme = '', rest = to] = /^([a-z]+):\/\/(.*)$/.exec(to) ?? [];
  const port = scheme === 'https' || scheme === 'grpcs' ? '443' : '80';
  // `http://unix:/run/app.sock:/path`
  const unix = /^(unix:[^:]*)/.exec(rest)?.[1];
  return { authority: unix ?? rest.split(/[/?]/, 1)[0] ?? '', port };
}

function withPort(authority: string, port: string): string {
  if (authority.startsWith('unix:')) return authority;
  const [, host = authority, own = port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(authority) ?? [];
  return `${host === 'localhost' ? '127.0.0.1' : host.toLowerCase()}:${own}`;
}

/** An address of both, or null. */
export function sharedTarget(one: Targets, other: Targets): string | null {
  for (const address of one.addresses) if (other.addresses.has(address)) return address;
  return null;
}
