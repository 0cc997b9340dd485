/**
 * What an NGINX is to us: the words that start it and where its modules lie. Nothing here starts one.
 */
import { join } from 'node:path';

/** `path`: installed on this machine. `cache`: unpacked earlier. `fetched`: unpacked just now. `docker`: in an image. */
export type NginxOrigin = 'path' | 'cache' | 'fetched' | 'docker';

/** The part that is known before a binary was asked for its versions. */
export interface NginxCandidate {
  /** Program and leading arguments. More than one word when it runs through an unpacked dynamic linker. */
  readonly command: readonly string[];
  /** The folder that holds `ngx_http_js_module.so`, for `load_module`. */
  readonly modulesDir: string;
  /** The Docker image in which both lie; without it they lie on this machine. See container.ts. */
  readonly image?: string;
}

export interface NginxBinary extends NginxCandidate {
  /** As in `1.26.3`. */
  readonly nginxVersion: string;
  /** As in `0.8.9`. */
  readonly njsVersion: string;
  readonly origin: NginxOrigin;
}

export const httpModule = 'ngx_http_js_module.so';

/** The first njs that has `js_shared_dict_zone`, without which a policy can't be pushed. */
export const oldestNjs = '0.8.1';

export function modulePath(candidate: NginxCandidate): string {
  return join(candidate.modulesDir, httpModule);
}

/** Compares dotted numbers; a missing part counts as 0. */
export function versionAtLeast(version: string, oldest: string): boolean {
  const have = version.split('.').map(Number);
  for (const [index, wanted] of oldest.split('.').map(Number).entries()) {
    const part = have[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
