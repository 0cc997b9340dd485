/** Bytes that can be made again at any time, as many as fit: of each place those of one time of issue. */
export interface KeptBytes {
  get(place: string, issuedAt: string): Uint8Array | null;
  keep(place: string, issuedAt: string, bytes: Uint8Array): void;
}

/** What was asked for least lately goes first. */
export function keptBytes(max: number): KeptBytes {
  const kept = new Map<string, { issuedAt: string; bytes: Uint8Array }>();
  let total = 0;
  const drop = (place: string): void => {
    total -= kept.get(place)?.bytes.length ?? 0;
    kept.delete(place);
  };
  return {
    get(place, issuedAt) {
      const found = kept.get(place);
      if (found === undefined || found.issuedAt !== issuedAt) return null;
      kept.delete(place);
      kept.set(place, found);
      return found.bytes;
    },
    keep(place, issuedAt, bytes) {
      drop(place);
      kept.set(place, { issuedAt, bytes });
      total += bytes.length;
      for (const oldest of kept.keys()) {
        if (total <= max) return;
        drop(oldest);
      }
    },
  };
}
