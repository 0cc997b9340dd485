/**
 * Login tokens of one unit: 1200 seconds, at most 36,000; at most 100 live ones a user, the built-in `admin` exempt. It
 * tells an expired token from one that never was, as restjavad does, for as many as it remembers.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@edgeward/runtime';
import { type Json, refuseRest } from './answer.ts';

export interface Token {
  readonly token: string;
  readonly userName: string;
  readonly address: string;
  readonly startMs: number;
  timeoutS: number;
  expiresMs: number;
  updatedMs: number;
  generation: number;
}

export interface Tokens {
  issue(userName: string, address: string): Token;
  find(token: string): { state: 'live'; token: Token } | { state: 'expired' } | { state: 'unknown' };
  extend(token: Token, timeoutS: number): void;
  /** As if its time had come. */
  expire(token: string): void;
  remove(token: string): void;
  live(): Token[];
  /** After a reboot nobody remembers any. */
  clear(): void;
}

const timeoutS = 1200;
const absoluteTimeoutS = 36_000;
const maxPerUser = 100;
const maxRemembered = 10_000;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function createTokens(clock: Clock): Tokens {
  const tokens = new Map<string, Token>();
  const expired = new Set<string>();

  function sweep(): void {
    for (const [name, token] of tokens) if (token.expiresMs <= clock.now()) expire(name);
  }

  function expire(name: string): void {
    if (!tokens.delete(name)) return;
    expired.add(name);
    for (const oldest of expired) {
      if (expired.size <= maxRemembered) break;
      expired.delete(oldest);
    }
  }

  return {
    expire,
    issue(userName, address) {
      sweep();
      const live = [...tokens.values()].filter((token) => token.userName === userName);
      if (userName !== 'admin' && live.length >= maxPerUser) {
        refuseRest(400, `user ${userName} has reached maximum active login tokens`);
      }
      const token = newToken(userName, address, clock.now());
      tokens.set(token.token, token);
      return token;
    },
    find(name) {
      sweep();
      const token = tokens.get(name);
      if (token !== undefined) return { state: 'live', token };
      return { state: expired.has(name) ? 'expired' : 'unknown' };
    },
    extend(token, seconds) {
      if (!(seconds > 0 && seconds <= absoluteTimeoutS)) {
        refuseRest(400, `Auth-token absolute timeout (${absoluteTimeoutS} seconds) exceeded`);
      }
      token.timeoutS = seconds;
      token.updatedMs = clock.now();
      token.expiresMs = Math.min(clock.now() + seconds * 1000, token.startMs + absoluteTimeoutS * 1000);
      token.generation += 1;
    },
    remove: (name) => void tokens.delete(name),
    live() {
      sweep();
      return [...tokens.values()];
    },
    clear() {
      tokens.clear();
      expired.clear();
    },
  };
}

function newToken(userName: string, address: string, nowMs: number): Token {
  const name = [...randomBytes(26)].map((byte) => alphabet.charAt(byte % 32)).join('');
  const expiresMs = nowMs + timeoutS * 1000;
  return { token: name, userName, address, startMs: nowMs, timeoutS, expiresMs, updatedMs: nowMs, generation: 1 };
}

export function tokenView(token: Token): Json {
  return {
    token: token.token,
    name: token.token,
    userName: token.userName,
    authProviderName: 'tmos',
    user: { link: `https://localhost/mgmt/shared/authz/users/${encodeURIComponent(token.userName)}` },
    timeout: token.timeoutS,
    startTime: new Date(token.startMs).toISOString().replace('Z', '+0000'),
    address: token.address,
    partition: '[All]',
    generation: token.generation,
    lastUpdateMicros: token.updatedMs * 1000,
    expirationMicros: token.expiresMs * 1000,
    kind: 'shared:authz:tokens:authtokenitemstate',
    selfLink: `https://localhost/mgmt/shared/authz/tokens/${token.token}`,
  };
}
