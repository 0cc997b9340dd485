import type { CompiledPolicy } from '@edgeward/policy';

/**
 * A policy enforcement point as the sync service sees it: one NGINX, one BIG-IP, one host. A driver states what is
 * there and makes it equal to what is desired; it never decides what is desired, never retries by itself, and bounds the
 * time of its own calls.
 */
export interface EnforcementPoint {
  readonly name: string;
  /** What is there now. Writes nothing. Throws EDW_ERR_POINT_UNREACHABLE or EDW_ERR_POINT_REFUSED. */
  inspect(): Promise<Actual>;
  /**
   * Makes the whole desired state true, or changes nothing. Applying what is already there writes nothing. Throws as
   * `inspect` does, and EDW_ERR_REVISION_OLDER when the point holds a newer revision.
   */
  apply(desired: CompiledPolicy): Promise<Applied>;
  /**
   * Optional and cheap, asked twice a second: a token that changes whenever the point restarted or holds another
   * revision. Equal tokens mean that nothing of that happened in between; nothing else may be read from it. Throws as
   * `inspect` does.
   */
  probe?(): Promise<string>;
  close(): Promise<void>;
}

/** What a point holds: nothing yet, or a policy, with what differs from it behind its back, and what was left undone. */
export type Actual =
  | { state: 'empty' }
  | {
      state: 'loaded';
      revision: number;
      hash: string;
      /** What was found changed, in words; empty when the point holds exactly what was applied. */
      drift: string[];
      /**
       * What an apply of ours that was cut off, or refused, has left to do, in words: nobody's change, and the policy is in
       * force. The next apply goes on with it.
       */
      unfinished: string[];
    };

export interface Applied {
  revision: number;
  /** Writes made at the point; 0 when it already held this policy. */
  writes: number;
  /** Bytes sent to the point. */
  bytes: number;
}
