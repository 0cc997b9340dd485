/**
 * The NGINX that tests run on: the edition that is asked for, else the one that EDGEWARD_NGINX_EDITION names, else the one
 * that the product finds, once in a process.
 */
import { defaultCacheDir, findNginx, type NginxBinary } from '@edgeward/nginx-njs';
import type { NginxEditionName } from './nginx-edition-names.ts';
import { isNginxEdition, type NginxEdition, nginxEdition } from './nginx-editions.ts';

let found: Promise<NginxBinary> | null = null;

export async function testNginx(asked?: NginxEditionName): Promise<Pick<NginxEdition, 'binary' | 'engine'>> {
  const name = asked ?? editionOfEnvironment();
  if (name !== null) return nginxEdition(name);
  found ??= findNginx({ cacheDir: defaultCacheDir() });
  return { binary: await found, engine: '' };
}

export async function privateNginx(): Promise<NginxBinary> {
  return (await testNginx()).binary;
}

/** Where no NGINX can be had the whole test file is skipped with the reason, but never in CI. */
export async function requireNginx(
  t: { plan(count: number, reason: string): unknown },
  ...editions: readonly NginxEditionName[]
): Promise<NginxBinary> {
  try {
    for (const edition of editions) await nginxEdition(edition);
    return await privateNginx();
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, error instanceof Error ? error.message : String(error));
    process.exit(0);
  }
}

export function editionOfEnvironment(): NginxEditionName | null {
  const name = process.env.EDGEWARD_NGINX_EDITION ?? '';
  if (name === '') return null;
  if (!isNginxEdition(name)) throw new Error(`EDGEWARD_NGINX_EDITION names no edition: ${name}`);
  return name;
}
