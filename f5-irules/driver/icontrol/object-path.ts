/**
 * Addresses of objects in iControl REST. A name comes from a policy or from somebody else's box and may hold anything:
 * what can't be said without meaning another object is refused, everything else is encoded.
 */
import { EdgewardError } from '@edgeward/runtime';

/** `tm/ltm/virtual`, `/Common/vs` → `tm/ltm/virtual/~Common~vs`; `%` becomes `%25`. Throws EDW_ERR_BIGIP_NAME. */
export function objectPath(kindPath: string, fullPath: string): string {
  const folders = fullPath.split('/');
  if (folders.length < 2 || folders[0] !== '' || folders.includes('', 1))
    throw nameless(fullPath, 'it is no full path');
  // The box takes `~` for `/` after decoding, so that no encoding keeps `/Common/a~b` apart from `/Common/a/b`.
  if (fullPath.includes('~')) throw nameless(fullPath, 'it holds a `~`');
  return checkedPath(`${kindPath}/${folders.map((folder) => encoded(folder)).join('~')}`);
}

/** Where an object that is created with this body will stand, or null where the body does not say. */
export function createdPath(collection: string, body: Record<string, unknown>): string | null {
  const { name, partition, subPath } = body;
  if (typeof name !== 'string' || name === '') return null;
  if (name.startsWith('/')) return objectPath(collection, name);
  // Kinds without partition (`tm/auth/partition`) are addressed by their bare name.
  if (typeof partition !== 'string') return checkedPath(`${collection}/${encoded(name)}`);
  return objectPath(collection, `/${partition}/${typeof subPath === 'string' ? `${subPath}/` : ''}${name}`);
}

/** A path below `/mgmt/` that can't leave it, nor carry a query of its own. */
export function checkedPath(path: string): string {
  const segments = path.split('/');
  const isSafe = /^(tm|shared)\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$/.test(path);
  if (!isSafe || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw nameless(path, 'it is no path of iControl REST');
  }
  return path;
}

/** `?$select=name%2Cgeneration`, or nothing. The dollar stays: some versions know their options by it only. */
export function searchOf(query: Record<string, string> = {}): string {
  const pairs = Object.entries(query).map(([key, value]) => `${encoded(key).replaceAll('%24', '$')}=${encoded(value)}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

function encoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    throw nameless(text, 'it is no Unicode text');
  }
}

function nameless(name: string, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_BIGIP_NAME', `addressing ${JSON.stringify(name.slice(0, 200))}: ${why}`, {
    mend: 'Rename this object on the BIG-IP; iControl REST has no unambiguous address for it.',
  });
}
