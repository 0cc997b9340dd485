/**
 * The token of one user: one login for all calls, renewed at half of its life, given back at the end.
 *
 * It is renewed by a new login and not by PATCH of its `timeout`: a box refuses to prolong a token beyond ten hours, so
 * the login would be needed beside it anyway; and a password that was changed shows while the old token still works.
 * The password is read from its file at each login and kept nowhere. No answer of a login is ever repeated in a message.
 */
import { EdgewardError, type Logger, messageOf, readSecret } from '@edgeward/runtime';
import { isObject } from './answer.ts';
import type { Call, Failed, Verdict } from './call.ts';
import { failed, failure } from './failures.ts';
import type { Json } from './icontrol.ts';

export interface Token {
  readonly value: string;
}

export interface Session {
  /** For one call; `release` ends it. */
  take(): Promise<Token | Failed>;
  release(token: Token): void;
  /** The box did not take it. `dead`: it does not know it, so that there is nothing to give back. */
  refuse(token: Token, dead: boolean): void;
  /** Gives back whatever is held. Never rejects. */
  close(): Promise<void>;
}

export interface SessionOptions {
  origin: string;
  user: string;
  passwordFile: string;
  loginProvider: string;
  loginTimeoutMs: number;
  logger: Logger;
  now: () => number;
  send(call: Call, token: Token | null, limitMs: number): Promise<Verdict>;
}

interface Held extends Token {
  renewAtMs: number;
  endsAtMs: number;
  /** Calls under way with it: it is given back after the last of them, or they would all be 401. */
  users: number;
  isRetired: boolean;
}

const FAREWELL_MS = 5_000;
const MAX_LIFE_S = 36_000;

export function createSession(options: SessionOptions): Session {
  const { logger, now, origin } = options;
  const live = new Set<Held>();
  const farewells = new Set<Promise<void>>();
  let held: Held | null = null;
  let login: Promise<Held | Failed> | null = null;
  let isClosed = false;

  const giveBack = (token: Held): void => {
    if (!live.delete(token)) return;
    const farewell = farewellTo(token, options).finally(() => farewells.delete(farewell));
    farewells.add(farewell);
  };
  const retire = (token: Held | null): void => {
    if (token === null) return;
    token.isRetired = true;
    if (token.users === 0) giveBack(token);
  };
  /** One login at a time, whoever asks for it. */
  const renew = (): Promise<Held | Failed> => {
    login ??= logIn(options)
      .then((result) => {
        if ('state' in result) return result;
        live.add(result);
        retire(held);
        held = result;
        return result;
      })
      .finally(() => {
        login = null;
      });
    return login;
  };
  /** Beside the calls: they go on with the old token, which has half of its life before it. */
  const renewEarly = async (token: Held): Promise<void> => {
    token.renewAtMs = now() + (token.endsAtMs - now()) / 2;
    const result = await renew();
    if (!('state' in result)) return;
    const { code, message } = result.error;
    logger.warn({ event: 'bigip_token_not_renewed', url: origin, code, message }, 'the old token is used further');
  };

  return {
    async take() {
      if (held !== null && now() >= held.endsAtMs) retireEnded();
      const token = held ?? (isClosed ? closed(origin) : await renew());
      if ('state' in token) return token;
      if (isClosed) return closed(origin);
      if (now() >= token.renewAtMs && login === null) void renewEarly(token);
      token.users += 1;
      return token;
    },
    release(token) {
      const known = [...live].find((one) => one === token);
      if (known === undefined) return;
      known.users -= 1;
      if (known.isRetired && known.users === 0) giveBack(known);
    },
    refuse(token, dead) {
      const known = [...live].find((one) => one === token);
      if (held === token) held = null;
      if (known === undefined) return;
      if (dead) live.delete(known);
      else retire(known);
    },
    async close() {
      isClosed = true;
      await login?.catch(() => {});
      held = null;
      for (const token of [...live]) giveBack(token);
      await Promise.all(farewells);
    },
  };

  function retireEnded(): void {
    if (held !== null) live.delete(held);
    held = null;
  }
}

async function logIn(options: SessionOptions): Promise<Held | Failed> {
  const { origin, user, logger } = options;
  const doing = `logging in to ${origin} as ${user}`;
  const password = await readPassword(options);
  if (typeof password !== 'string') return password;
  const body = { username: user, password, loginProviderName: options.loginProvider };
  const call: Call = { method: 'POST', path: 'shared/authn/login', body, secretly: doing };
  const askedAtMs = options.now();
  const verdict = await options.send(call, null, options.loginTimeoutMs);
  switch (verdict.state) {
    case 'failed':
      return verdict;
    case 'unauthorized':
      return failed('nothing', failure('EDW_ERR_BIGIP_LOGIN', `${doing}: the user or the password is wrong`));
    case 'absent':
      return failed('nothing', failure('EDW_ERR_BIGIP_ANSWER', `${doing}: there is no login`));
    case 'done':
      logger.debug({ event: 'bigip_login', url: origin, user }, 'logged in');
      return heldOf(verdict.body, askedAtMs, doing);
  }
}

async function readPassword(options: SessionOptions): Promise<string | Failed> {
  try {
    return await readSecret(options.passwordFile);
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError)) throw thrown;
    const message = `as the password of ${options.user} at ${options.origin}: ${messageOf(thrown)}`;
    return failed('nothing', new EdgewardError(thrown.code, message, { mend: thrown.mend, cause: thrown }));
  }
}

/** By our clock from before the login on: that of the box may differ. */
function heldOf(body: Json, askedAtMs: number, doing: string): Held | Failed {
  const { token: value, timeout } = isObject(body.token) ? body.token : {};
  // It becomes a header and a part of a path.
  const isToken = typeof value === 'string' && /^[A-Za-z0-9._~+/=-]{1,1024}$/.test(value);
  const isLife = typeof timeout === 'number' && timeout > 0;
  if (!isToken || !isLife) return failed('nothing', failure('EDW_ERR_BIGIP_ANSWER', `${doing}: it gave no token`));
  const lifeMs = Math.min(timeout, MAX_LIFE_S) * 1000;
  return { value, renewAtMs: askedAtMs + lifeMs / 2, endsAtMs: askedAtMs + lifeMs, users: 0, isRetired: false };
}

/** A token that stays counts against the hundred of its user until it ends. */
async function farewellTo(token: Held, options: SessionOptions): Promise<void> {
  const path = `shared/authz/tokens/${encodeURIComponent(token.value)}`;
  const secretly = `giving a token back to ${options.origin}`;
  const verdict = await options.send({ method: 'DELETE', path, secretly }, token, FAREWELL_MS);
  // 401 and 404: it is gone already.
  if (verdict.state !== 'failed') return;
  const { code, message } = verdict.error;
  options.logger.warn({ event: 'bigip_token_left', url: options.origin, code, message }, 'it ends by itself');
}

function closed(origin: string): Failed {
  return failed('nothing', failure('EDW_ERR_POINT_UNREACHABLE', `calling ${origin}: the client is closed`));
}
