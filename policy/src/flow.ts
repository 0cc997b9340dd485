/**
 * What is asked of a policy and what it answers. The words are those of every log line, event and screen;
 * they are relied on from outside and never change their meaning.
 */

/** One connection or request to judge. `path` is the raw request target, still escaped. */
export interface Flow {
  /** Address of the peer: dotted IPv4 or any textual form of IPv6. */
  from: string;
  /** Name of the protected object. */
  to: string;
  /** `tcp/443`, `udp/53`. */
  port: string;
  method?: string;
  /** The request target as it was sent: origin form, or absolute form with its authority. */
  path?: string;
  /** The Host header; a list where several were sent. */
  host?: string | string[];
  /** X-Forwarded-For, believed only from an object's `trustedProxies`. */
  forwardedFor?: string;
}

export type Reason =
  | 'no-policy'
  | 'unknown-object'
  | 'mode-off'
  | 'failsafe'
  | 'unknown-source'
  | 'port-not-allowed'
  | 'denied-by-rule'
  | 'bad-request'
  | 'allowed-by-rule'
  | 'request-not-allowed'
  | 'internal-error';

export type Mode = 'enforce' | 'observe' | 'off';

export interface Verdict {
  verdict: 'allow' | 'deny';
  reason: Reason;
  /** Id of the rule that decided, or null where none did. */
  rule: string | null;
  revision: number;
}
