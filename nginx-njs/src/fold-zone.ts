import type { FoldZone } from './folding.ts';

/** What is folded there; undefined: an http.conf of an earlier version has no such zone, and nothing is. */
export function foldZone(name: string): FoldZone | undefined {
  return ngx.shared[name] as NgxSharedDict<number> | undefined;
}
