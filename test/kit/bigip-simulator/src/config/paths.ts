/** Names and full paths of objects: `/Partition/folder/name`. Nothing here knows what exists. */
import type { Properties } from './box-config.ts';
import type { KindDescription } from './kinds.ts';
import { badName, invalidProperty } from './mcpd-errors.ts';

/** `/Common/x` for `x`; a full path stays. */
export const absolute = (name: string, folder: string): string => (name.startsWith('/') ? name : `${folder}/${name}`);

/** `/Common/app` of `/Common/app/x`; `/` of `/Common`. */
export function folderOf(fullPath: string): string {
  const end = fullPath.lastIndexOf('/');
  return end <= 0 ? '/' : fullPath.slice(0, end);
}

export const nameOf = (fullPath: string): string => fullPath.slice(fullPath.lastIndexOf('/') + 1);

/** `Common` of `/Common/app/x`. */
export const partitionOf = (fullPath: string): string => fullPath.split('/')[1] ?? 'Common';

/** The full path that a body of a create names. */
export function pathOfBody(description: KindDescription, body: Properties): string {
  // Text names things of foreign kinds as they are: `auth user admin`, or not at all: `sys dns`.
  if (body.name === undefined && typeof body.fullPath === 'string') return body.fullPath;
  const name = typeof body.name === 'number' ? String(body.name) : body.name;
  if (typeof name !== 'string' || name === '') throw invalidProperty('name', body.name);
  if (description.naming === 'partition') return checkedPartition(name.replace(/^\//, ''));
  if (description.naming === 'folder') return checkedPath(folderPath(name, body));
  return checkedPath(absolute(name, folderOfBody(body)));
}

function folderOfBody(body: Properties): string {
  const partition = typeof body.partition === 'string' && body.partition !== '' ? body.partition : 'Common';
  const subPath = typeof body.subPath === 'string' ? body.subPath.replace(/^\/+|\/+$/g, '') : '';
  return subPath === '' ? `/${partition}` : `/${partition}/${subPath}`;
}

function folderPath(name: string, body: Properties): string {
  if (name.startsWith('/')) return name;
  if (body.partition === undefined && (body.subPath === undefined || body.subPath === '/')) return `/${name}`;
  return `${folderOfBody(body)}/${name}`;
}

function checkedPartition(name: string): string {
  if (name === '' || name.includes('/') || hasControl(name)) throw badName(name);
  return name;
}

function checkedPath(fullPath: string): string {
  const segments = fullPath.split('/').slice(1);
  const wrong = segments.some(
    (segment) => segment === '' || segment === '.' || segment === '..' || hasControl(segment),
  );
  if (wrong && fullPath !== '/') throw badName(fullPath);
  return fullPath;
}

// The box keeps one name on one line; a name with a line break would be two lines of bigip.conf.
function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
