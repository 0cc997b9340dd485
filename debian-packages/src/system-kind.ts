/**
 * Which family of systems this is, as far as packages are concerned.
 */
import { readFile } from 'node:fs/promises';

export type SystemKind = { readonly kind: 'debian' | 'ubuntu' | 'other'; readonly name: string };

export async function systemKind(): Promise<SystemKind> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  const family = [field('ID'), ...field('ID_LIKE').split(' ')];
  const name = field('PRETTY_NAME') || process.platform;
  if (process.platform !== 'linux') return { kind: 'other', name };
  // Ubuntu says that it is like Debian, so it is asked first: its own mirrors hold no Debian suite.
  if (family.includes('ubuntu')) return { kind: 'ubuntu', name };
  return { kind: family.includes('debian') ? 'debian' : 'other', name };
}
