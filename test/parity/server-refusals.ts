/**
 * Requests that NGINX answers with 400 or 405 before any hook of ours, whatever the policy says; they count as
 * denied. A short list of reasons, so that a refusal for any other reason is seen. It grew: 1.30 reads a Host as RFC 3986
 * says, where 1.26 took nearly anything.
 */
import type { Flow } from '@edgeward/policy';

export function nginxRefuses(flow: Flow, nginxVersion: string): boolean {
  if (!nginxVersion.startsWith('1.26.') && [flow.host ?? []].flat().some(badHost)) return true;
  return refusedEverywhere(flow);
}

/** A literal in brackets or a registered name, then a port that is one. */
function badHost(host: string): boolean {
  const port = /^(?:\[[A-Za-z0-9:.]*\]|[A-Za-z0-9._~!$%&'()*+,;=-]+)(?::(\d*))?$/.exec(host);
  return host !== '' && (port === null || Number(port[1] ?? 0) > 65_535);
}

function refusedEverywhere(flow: Flow): boolean {
  const method = flow.method ?? 'GET';
  const target = flow.path === undefined || flow.path === '' ? '/' : flow.path;
  const hosts = flow.host === undefined ? [] : [flow.host].flat();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\x00-\x20\x7f]/.test(target)) return true;
  if (!/^[A-Z_-]+$/.test(method) || method === 'CONNECT' || hosts.length > 1) return true;
  const origin = originOf(target);
  return origin === null || !origin.startsWith('/') || badPath(origin);
}

/** The path of an absolute target; null where its authority names a user. */
function originOf(target: string): string | null {
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)(.*)$/s.exec(target);
  if (absolute === null) return target;
  const [, authority = '', rest = ''] = absolute;
  if (authority === '' || authority.includes('@')) return null;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function badPath(origin: string): boolean {
  const path = origin.split(/[?#]/)[0] ?? '';
  if (/%(?![0-9a-fA-F]{2})/.test(path) || /%00/.test(path)) return true;
  // As NGINX climbs: every escape decoded, empty segments merged.
  const decoded = path.replace(/%([0-9a-fA-F]{2})/g, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  let depth = 0;
  for (const segment of decoded.split('/')) {
    if (segment === '..') depth -= 1;
    else if (segment !== '' && segment !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}
