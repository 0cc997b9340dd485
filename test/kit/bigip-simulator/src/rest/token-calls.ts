/** Calls below /mgmt/shared/authz/tokens: a user's own tokens, and everybody's for an administrator. */
import { type Answer, json, refuseRest } from './answer.ts';
import type { Identity } from './authentication.ts';
import { bodyOf, type Call } from './call.ts';
import { type Token, type Tokens, tokenView } from './tokens.ts';

const link = 'https://localhost/mgmt/shared/authz/tokens';

export function answerTokens(call: Call, identity: Identity, tokens: Tokens): Answer {
  const name = call.segments[3];
  if (name === undefined) return answerCollection(call, identity, tokens);
  const found = tokens.find(name);
  if (found.state !== 'live') return refuseRest(404, `Object not found: /shared/authz/tokens/${name}`);
  if (!mayUse(identity, found.token)) return refuseRest(400, 'Authorization failed');
  const view = (): Answer => json(tokenView(found.token));
  if (call.method === 'GET') return view();
  if (call.method === 'PATCH') {
    const { timeout } = bodyOf(call);
    if (timeout !== undefined) tokens.extend(found.token, Number(timeout));
    return view();
  }
  if (call.method === 'DELETE') {
    tokens.remove(name);
    return view();
  }
  return refuseRest(405, `Method ${call.method} is not supported on /shared/authz/tokens/${name}`);
}

function answerCollection(call: Call, identity: Identity, tokens: Tokens): Answer {
  const mine = tokens.live().filter((token) => mayUse(identity, token));
  const items = mine.map(tokenView);
  if (call.method === 'DELETE') for (const token of mine) tokens.remove(token.token);
  else if (call.method !== 'GET')
    return refuseRest(405, `Method ${call.method} is not supported on /shared/authz/tokens`);
  const kind = 'shared:authz:tokens:authtokencollectionstate';
  return json({ items, generation: items.length, kind, lastUpdateMicros: 0, selfLink: link });
}

function mayUse(identity: Identity, token: Token): boolean {
  return identity.user.role === 'admin' || token.userName === identity.user.name;
}
