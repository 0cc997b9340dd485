/** The NGINX that tests run on, found once in a process. */
import { defaultCacheDir, findNginx, type NginxBinary } from '@edgeward/nginx-njs';

let found: Promise<NginxBinary> | null = null;

export function privateNginx(): Promise<NginxBinary> {
  found ??= findNginx({ cacheDir: defaultCacheDir() });
  return found;
}

/** Where no NGINX can be had the whole test file is skipped with the reason, but never in CI. */
export async function requireNginx(t: { plan(count: number, reason: string): unknown }): Promise<NginxBinary> {
  try {
    return await privateNginx();
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, error instanceof Error ? error.message : String(error));
    process.exit(0);
  }
}
