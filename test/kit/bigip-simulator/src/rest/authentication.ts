/**
 * Who asks: a token, or name and password of a local user. A bad password in a login is answered with the whole request
 * in the answer, password included, because a client must never write a 401 into a log.
 */
import { timingSafeEqual } from 'node:crypto';
import type { SimulatedUser } from '../simulator.ts';
import { type Answer, json, Refusal, refuseRest } from './answer.ts';
import { bodyOf, type Call, header } from './call.ts';
import { unauthorizedPage } from './html-pages.ts';
import { type Token, type Tokens, tokenView } from './tokens.ts';

export interface Identity {
  user: SimulatedUser;
  /** Null for name and password. */
  token: Token | null;
}

export function identify(call: Call, users: readonly SimulatedUser[], tokens: Tokens): Identity {
  const token = header(call, 'x-f5-auth-token');
  if (token !== undefined) return identifyToken(token, users, tokens);
  const basic = /^Basic +([A-Za-z0-9+/=]+)$/.exec(header(call, 'authorization') ?? '')?.[1];
  if (basic === undefined) refuseUnknown(call);
  const [name = '', ...password] = Buffer.from(basic, 'base64').toString('utf8').split(':');
  const user = userWith(users, name, password.join(':'));
  if (user === null) throw new Refusal(unauthorizedPage);
  return { user, token: null };
}

/** POST of /mgmt/shared/authn/login. */
export function login(call: Call, users: readonly SimulatedUser[], tokens: Tokens): Answer {
  const body = bodyOf(call);
  const { username, password } = body;
  const provider = body.loginProviderName ?? 'tmos';
  const user =
    typeof username === 'string' && typeof password === 'string' ? userWith(users, username, password) : null;
  if (user === null || !['tmos', 'local'].includes(String(provider))) {
    const originalRequestBody = JSON.stringify({ ...body, generation: 0, lastUpdateMicros: 0 });
    return refuseRest(401, 'Authentication failed.', { originalRequestBody });
  }
  return json({
    username: user.name,
    loginReference: { link: 'https://localhost/mgmt/cm/system/authn/providers/tmos/login' },
    loginProviderName: provider,
    token: tokenView(tokens.issue(user.name, call.address)),
    generation: 0,
    lastUpdateMicros: 0,
  });
}

function identifyToken(name: string, users: readonly SimulatedUser[], tokens: Tokens): Identity {
  const found = tokens.find(name);
  if (found.state === 'expired') refuseRest(401, 'X-F5-Auth-Token has expired.');
  const user = found.state === 'live' ? users.find((other) => other.name === found.token.userName) : undefined;
  if (found.state !== 'live' || user === undefined) refuseRest(401, 'X-F5-Auth-Token does not exist.');
  return { user, token: found.token };
}

function userWith(users: readonly SimulatedUser[], name: string, password: string): SimulatedUser | null {
  const user = users.find((other) => other.name === name);
  if (user === undefined) return null;
  const [given, known] = [Buffer.from(password), Buffer.from(user.password)];
  return given.length === known.length && timingSafeEqual(given, known) ? user : null;
}

function refuseUnknown(call: Call): never {
  const path = `/mgmt/${call.segments.join('/')}`;
  const where = `Uri:http://localhost:8100${path} Referrer:${call.address} Sender:${call.address}`;
  return refuseRest(401, `Authorization failed: no user authentication header or token detected. ${where}`);
}
