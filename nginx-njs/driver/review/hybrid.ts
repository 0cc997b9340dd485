/**
 * Mode hybrid: how NGINX comes to let in without asking the module, and whether it looks each time. A cache of open files
 * that is inherited would have it see flags that are long gone.
 */
import { type Directive, named } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import type { Server } from './servers.ts';

/** What the hook of this mode asks. */
export const REFUSED = '$edgeward_refused';

/** `map … $edgeward_refused` of hybrid.conf. */
export function isRefusedMap({ name, args }: Pick<Directive, 'name' | 'args'>): boolean {
  return name === 'map' && args[1] === REFUSED;
}

export function isClosedRefusedMap(
  { args }: Pick<Directive, 'args'>,
  entries: readonly (readonly [string, string])[],
): boolean {
  const wanted = [
    ['allow', '0'],
    ['default', '$edgeward_denied'],
  ];
  return args[0] === '$edgeward_said' && JSON.stringify([...entries].sort()) === JSON.stringify(wanted);
}

export function staleFlagFindings(http: readonly Directive[], servers: readonly Server[]): ServerFinding[] {
  return servers.filter(asksFlags).flatMap((server) => {
    const cache = lastOf(server.block, 'open_file_cache') ?? lastOf(http, 'open_file_cache');
    if (cache === null || cache.args[0] === 'off') return [];
    const valid = lastOf(server.block, 'open_file_cache_valid') ?? lastOf(http, 'open_file_cache_valid');
    const kept = valid?.args[0] ?? '60s';
    if (/^1s?$/.test(kept)) return [];
    const message = `NGINX remembers for ${kept} that a flag of ${server.title} was there: who is no longer allowed is let in as long`;
    return [finding('error', 'EDW_ERR_NGINX_STALE_FLAGS', cache, message)];
  });
}

function asksFlags({ hook }: Server): boolean {
  return hook?.directive.args.join(' ').includes(REFUSED) === true;
}

function lastOf(block: readonly Directive[], name: string): Directive | null {
  return named(block, name).at(-1) ?? null;
}
