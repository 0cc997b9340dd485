/** How an NGINX carries its policy: `points.*.mode` and what only some modes need. */
import { basename, join, resolve } from 'node:path';
import * as z from 'zod';

export type NginxMode = 'live' | 'hybrid' | 'reload';

/** Keys of `points.*`, as a file gives them. */
export interface NginxModeInput {
  mode: NginxMode;
  process: { test: string[]; reload?: string[] | undefined; pidFile: string };
  snapshot: SnapshotKeys & { folder?: string | undefined; flags?: string | undefined };
}

interface SnapshotKeys {
  reloadsPerHour: number;
  minSecondsBetween: number;
  keep: number;
  quietSeconds: number;
  maxSlowSeconds: number;
  cachedCheck: boolean;
}

/** What an NGINX needs that reads its policy from files. */
export interface NativeConfig {
  mode: Exclude<NginxMode, 'live'>;
  process: { test: string[]; reload: string[] | null; pidFile: string };
  snapshot: SnapshotKeys & { folder: string; flags: string };
}

const words = (says: string): z.ZodArray<z.ZodString> => z.array(z.string().min(1)).min(1).max(32).describe(says);

export const nginxModeShape: {
  mode: z.ZodType<NginxMode>;
  process: z.ZodType<NginxModeInput['process']>;
  snapshot: z.ZodType<NginxModeInput['snapshot']>;
} = {
  mode: z
    .enum(['live', 'hybrid', 'reload'])
    .default('live')
    .describe(
      'live: njs, no reload; hybrid: njs and a native snapshot; reload: no njs, addresses and ports alone ([nginx-reload.md](nginx-reload.md)).',
    ),
  process: z
    .strictObject({
      test: words('Words that test the configuration of NGINX; no shell reads them. Not in mode live.').default([
        'nginx',
        '-t',
      ]),
      reload: words('Words that ask NGINX to reload. Default: SIGHUP to the process in `pidFile`.').optional(),
      pidFile: z
        .string()
        .min(1)
        .default('/run/nginx.pid')
        .describe('File with the process of NGINX, `pid` in nginx.conf.'),
    })
    .prefault({}),
  snapshot: z
    .strictObject({
      folder: z
        .string()
        .min(1)
        .optional()
        .describe('Folder of what NGINX includes, written by the service. Default: STATEDIR/points/NAME/snapshot.'),
      reloadsPerHour: z
        .int()
        .min(2)
        .max(3600)
        .default(120)
        .describe('Reloads at most in any hour. A change waits at most for 7200 s divided by it.'),
      minSecondsBetween: z.int().min(1).max(3600).default(5).describe('Seconds at least between two reloads.'),
      keep: z.int().min(1).max(100).default(2).describe('Snapshots kept beside the one in force.'),
      flags: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Mode hybrid: folder of the flags that NGINX looks for, best in memory. Default: /run/edgeward/NAME.',
        ),
      quietSeconds: z
        .int()
        .min(1)
        .max(86_400)
        .default(60)
        .describe('Mode hybrid: so long without a change, and the next snapshot is taken.'),
      maxSlowSeconds: z
        .int()
        .min(1)
        .max(86_400)
        .default(600)
        .describe('Mode hybrid: where it is never that quiet, a snapshot is taken after so long.'),
      cachedCheck: z
        .boolean()
        .default(false)
        .describe(
          'Mode hybrid: NGINX may remember a flag for a second; the first change after a snapshot takes that long.',
        ),
    })
    .prefault({}),
};

interface Judged extends NginxModeInput {
  push: string;
}

/** Files are written and a process is signalled: neither is done on another machine. */
export function refuseDistant(points: Record<string, Judged>, context: z.RefinementCtx): void {
  for (const [name, { mode, push }] of Object.entries(points)) {
    if (mode === 'live' || !push.startsWith('https:')) continue;
    const message = `\`mode: ${mode}\` is for an NGINX on this machine, and \`push\` leads to another`;
    context.addIssue({ code: 'custom', path: [name, 'mode'], message });
  }
}

/** null: live. */
export function nativeWithPaths(given: NginxModeInput, base: string, pointFolder: string): NativeConfig | null {
  const { mode, process, snapshot } = given;
  if (mode === 'live') return null;
  return {
    mode,
    process: { test: process.test, reload: process.reload ?? null, pidFile: resolve(base, process.pidFile) },
    snapshot: {
      ...snapshot,
      folder: snapshot.folder === undefined ? join(pointFolder, 'snapshot') : resolve(base, snapshot.folder),
      flags: snapshot.flags === undefined ? flagsFolderOf(basename(pointFolder)) : resolve(base, snapshot.flags),
    },
  };
}

/** Gone after a restart of the machine: NGINX then asks the module until it is told otherwise. */
export function flagsFolderOf(point: string): string {
  return join('/run/edgeward', point);
}
