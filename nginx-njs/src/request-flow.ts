import type { Flow } from '@edgeward/policy';

/** Reads one request the way it was sent, before NGINX tidied it up: `$uri` and `$host` have lost what makes it unsafe. */
export function flowOf(r: NginxHTTPRequest, target: Flow): Flow {
  const variables = r.variables;
  const flow: Flow = {
    from: '',
    to: target.to,
    port: target.port,
    method: r.method as string,
    path: readTarget(r),
  };
  const host = variables.http_host;
  if (host !== undefined && host !== '') flow.host = host;
  const forwardedFor = variables.http_x_forwarded_for;
  if (forwardedFor !== undefined) flow.forwardedFor = forwardedFor;
  return flow;
}

/**
 * The target as on the request line. `$request_uri` lacks the authority of an absolute target (RFC 9112 §3.2.2), which
 * only `$request` still holds.
 */
export function readTarget(r: NginxHTTPRequest): string {
  const line = r.variables.request as string;
  if (line.charAt((r.method as string).length + 1) === '/')
    return escaped(r, 'request_uri', r.variables.request_uri as string);
  const target = escaped(r, 'request', line)
    .split(' ')
    .filter((word) => word !== '')[1];
  return target === undefined ? (r.variables.request_uri as string) : target;
}

/** Bytes beyond ASCII as escapes: a variable's text form has lost which bytes were no UTF-8. */
function escaped(r: NginxHTTPRequest, name: string, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: anything beyond ASCII is what is looked for.
  if (!/[^\x00-\x7f]/.test(text)) return text;
  const bytes = (r.rawVariables as Record<string, Buffer>)[name] as Buffer;
  let out = '';
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] as number;
    out += byte < 128 ? String.fromCharCode(byte) : `%${byte.toString(16)}`;
  }
  return out;
}
