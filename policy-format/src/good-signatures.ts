/**
 * Signatures that were verified and hold, so that a service with many points works out once what people signed once. What is
 * kept is a fact of arithmetic: this key, this header, this signature, a payload of this digest. Whose key it is, and whether
 * it counts for anything, is asked of the trust root each time.
 */
export interface GoodSignatures {
  has(name: string): boolean;
  /** Only of what holds. */
  add(name: string): void;
}

/** Of a few versions: each has a handful. About 300 kB in all where headers and signatures are as long as they can be. */
const MOST = 128;

export function goodSignatures(): GoodSignatures {
  const names = new Set<string>();
  return {
    has: (name) => names.has(name),
    add(name) {
      if (names.has(name)) return;
      const [oldest] = names;
      if (names.size >= MOST && oldest !== undefined) names.delete(oldest);
      names.add(name);
    },
  };
}
