/** From a whole call to its answer: who asks, what for. It throws for bugs alone. */
import type { SimulatedUser } from '../simulator.ts';
import { type Answer, answerOf, json, refuseRest } from './answer.ts';
import { identify, login } from './authentication.ts';
import { bodyOf, type Call, header, refusePath } from './call.ts';
import { answerCommand } from './command-calls.ts';
import { answerObjects } from './object-calls.ts';
import type { RestUnit } from './rest-unit.ts';
import { mayUseFramework } from './roles.ts';
import { answerStatus } from './status-calls.ts';
import { busyAnswer } from './tasks.ts';
import { answerTokens } from './token-calls.ts';

export interface Dispatched {
  answer: Answer;
  /** Null before anybody was recognised. */
  userName: string | null;
}

export async function dispatch(call: Call, unit: RestUnit): Promise<Dispatched> {
  let userName: string | null = null;
  try {
    if (call.segments.join('/') === 'shared/authn/login' && call.method === 'POST') {
      return { answer: login(call, unit.users, unit.tokens), userName };
    }
    const identity = identify(call, unit.users, unit.tokens);
    userName = identity.user.name;
    if (startsWith(call, 'shared/authz/tokens')) return { answer: answerTokens(call, identity, unit.tokens), userName };
    return { answer: await answer(call, identity.user, unit), userName };
  } catch (thrown) {
    const refused = answerOf(thrown);
    if (refused === null) throw thrown;
    return { answer: refused, userName };
  }
}

async function answer(call: Call, user: SimulatedUser, unit: RestUnit): Promise<Answer> {
  if (startsWith(call, 'shared/file-transfer/uploads')) {
    mayUseFramework(user, call);
    return unit.uploads.answer(call);
  }
  if (startsWith(call, 'shared/server/messaging/settings/8100')) return answerSettings(call, user, unit);
  const status = answerStatus(call, unit);
  if (status !== null) return status;
  if (call.segments[0] !== 'tm') return refusePath(call);
  if (startsWith(call, 'tm/transaction')) {
    if (header(call, 'x-f5-rest-coordination-id') !== undefined && call.method !== 'GET') {
      return refuseRest(400, 'A transaction may not be changed inside a transaction.');
    }
    return call.method === 'PATCH' && unit.tasks.busy() ? busyAnswer : unit.transactions.answer(call);
  }
  return (await answerCommand(call, user, unit)) ?? answerObjects(call, user, unit);
}

/** The size of a body that restjavad takes. */
function answerSettings(call: Call, user: SimulatedUser, unit: RestUnit): Answer {
  mayUseFramework(user, call);
  if (call.method === 'PUT' || call.method === 'PATCH') {
    const bytes = Number(bodyOf(call).maxMessageBodySize);
    if (!Number.isSafeInteger(bytes) || bytes < 1024) return refuseRest(400, 'Invalid maxMessageBodySize');
    unit.limits.bodyBytes = bytes;
  } else if (call.method !== 'GET') return refuseRest(405, `Method ${call.method} is not supported`);
  const selfLink = 'https://localhost/mgmt/shared/server/messaging/settings/8100';
  return json({
    maxMessageBodySize: unit.limits.bodyBytes,
    kind: 'shared:server:messaging:settings:serverstate',
    selfLink,
  });
}

function startsWith(call: Call, path: string): boolean {
  const segments = path.split('/');
  return segments.every((segment, index) => call.segments[index] === segment);
}
