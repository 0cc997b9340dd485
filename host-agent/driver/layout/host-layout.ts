/**
 * What is to stand in a host's kernel for one policy: sets of addresses, chains of rules, and where they are hooked in. Whoever
 * writes it or compares it with what is there needs nothing else. Names come from hashes and numbers: no text of a policy
 * is in it. Nothing here reads or writes a kernel.
 */

export type Family = 'inet' | 'inet6';

/** Everything that is to stand in the kernel for one policy. */
export interface HostLayout {
  revision: number;
  /** Of the policy. */
  hash: string;
  /** 1 to what the mark holds: what was let in under other rules is judged anew. Never 0. */
  generation: number;
  /** 8 hex that samples carry: of the policy that began this generation. Members alone may have been added since. */
  sampled: string;
  families: Record<Family, FamilyLayout>;
}

export interface FamilyLayout {
  /** Sorted by name. */
  sets: SetLayout[];
  /** A chain stands before every chain that jumps to it. */
  chains: ChainLayout[];
  /** Jumps from built-in chains, to stand first there: `-I INPUT 1 -j EW-IN`. */
  hooks: HookLayout[];
}

export interface HookLayout {
  chain: 'INPUT' | 'FORWARD' | 'OUTPUT';
  /** The chain of ours that it jumps to. */
  target: string;
}

export interface SetLayout {
  /** `ew4n-<16 hex>`, `ew6p-<16 hex>`: family, type, and the digest of what it held when it was made. It may have grown since. */
  name: string;
  /** 16 hex over type and members. */
  digest: string;
  type: 'hash:net' | 'hash:net,port';
  family: Family;
  /** Twice the members, a power of two, at least 65,536. */
  maxelem: number;
  /** In canonical text, sorted, each once: `10.0.0.0/8`, `10.0.0.0/8,tcp:443`. Never `/0`, which the kernel refuses. */
  members: readonly string[];
}

export interface ChainLayout {
  /** At most 28 characters. */
  name: string;
  rules: RuleLayout[];
}

/** `hash` is 12 hex of a sha256 over the arguments; it is set as `-m comment --comment ew:<hash>`. */
export interface RuleLayout {
  /** What stands after `-A CHAIN`, without the comment; each of `[A-Za-z0-9:|_.,/-]` only. */
  args: string[];
  hash: string;
}

export interface HostOptions {
  /** Bits of the connmark that are ours. Null where others take them: established flows then pass until conntrack forgets them. */
  mark: { mask: number; shift: number } | null;
  /** ACCEPT what is allowed, or RETURN it so that others may deny further. */
  verdict: 'exclusive' | 'coexist';
  /** Judge forwarded connections too, by their original destination port: published ports of containers. */
  publishedPorts: boolean;
}
