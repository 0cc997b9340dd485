/**
 * One call with all that makes it arrive: a token, one new login when the box does not take it, bounded repeats with
 * pauses while the box is busy, all within the time of a call. A write whose effect is unknown is not repeated here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backoff, backoff } from '@edgeward/runtime';
import { judge } from './answer.ts';
import type { Call, Failed, Settled, Verdict } from './call.ts';
import { failed, failure } from './failures.ts';
import { checkedPath } from './object-path.ts';
import { createSession, type Session, type SessionOptions, type Token } from './session.ts';
import type { Transport, Wire } from './transport.ts';

export interface Caller {
  call(call: Call): Promise<Settled>;
  /** From the newest answer that told, or null. */
  version(): string | null;
  sent(): { writes: number; bytes: number };
  close(): Promise<void>;
}

export interface CallerOptions extends Omit<SessionOptions, 'origin' | 'send'> {
  transport: Transport;
  /** Of one call with its repeats. A login has its own. */
  timeoutMs: number;
  /** Pauses while the box is busy are drawn from 0 to this, then to twice this, … */
  retryBaseMs: number;
}

const RETRY_MAX_MS = 10_000;
const BUSY_REPEATS = 8;

/** What a call may still do. Every repeat uses up one of them, so that no answer of a box makes a loop. */
interface Budget {
  logins: number;
  resets: number;
  busy: number;
  pauses: Backoff;
  deadlineMs: number;
}

export function createCaller(options: CallerOptions): Caller {
  const { transport, now } = options;
  const sent = { writes: 0, bytes: 0 };
  let version: string | null = null;

  const send = async (call: Call, token: Token | null, limitMs: number): Promise<Verdict> => {
    const wire = wireOf(call, token, transport.origin);
    if (call.method !== 'GET' && call.secretly === undefined) {
      sent.writes += 1;
      sent.bytes += wire.body === null ? 0 : Buffer.byteLength(wire.body);
    }
    const answer = await transport.send(wire, limitMs);
    if (answer.state === 'failed') return answer;
    const verdict = judge(call, wire.doing, answer);
    if (verdict.state === 'done') version = versionIn(verdict.body.selfLink) ?? version;
    return verdict;
  };
  const session = createSession({ ...options, origin: transport.origin, send });

  return {
    async call(call) {
      const budget = budgetOf(call, options);
      for (;;) {
        const verdict = await attempt(session, call, (token) => send(call, token, budget.deadlineMs - now()));
        const pauseMs = pauseBefore(verdict, budget, now());
        if (pauseMs === null) return settled(verdict, call, transport.origin);
        if (pauseMs > 0) await sleep(pauseMs);
      }
    },
    version: () => version,
    sent: () => ({ ...sent }),
    async close() {
      await session.close();
      await transport.close();
    },
  };
}

async function attempt(session: Session, call: Call, send: (token: Token) => Promise<Verdict>): Promise<Verdict> {
  checkedPath(call.path);
  const token = await session.take();
  // Whatever became of the login, the call itself was not made.
  if ('state' in token) return token.effect === 'busy' ? token : { ...token, effect: 'nothing' };
  try {
    const verdict = await send(token);
    if (verdict.state === 'unauthorized') session.refuse(token, verdict.dead);
    return verdict;
  } finally {
    session.release(token);
  }
}

function budgetOf(call: Call, options: CallerOptions): Budget {
  return {
    logins: 1,
    // An idle connection may be closed at the very moment that it is used; only a read may simply be repeated.
    resets: call.method === 'GET' ? 1 : 0,
    busy: BUSY_REPEATS,
    pauses: backoff({ baseMs: options.retryBaseMs, maxMs: RETRY_MAX_MS }),
    deadlineMs: options.now() + options.timeoutMs,
  };
}

/** How long to wait before the call is repeated, or null when it is not. */
function pauseBefore(verdict: Verdict, budget: Budget, nowMs: number): number | null {
  if (nowMs >= budget.deadlineMs) return null;
  if (verdict.state === 'unauthorized') return budget.logins-- > 0 ? 0 : null;
  if (verdict.state !== 'failed') return null;
  if (verdict.effect === 'reset') return budget.resets-- > 0 ? 0 : null;
  if (verdict.effect !== 'busy' || budget.busy-- <= 0) return null;
  const pauseMs = budget.pauses.nextMs();
  return nowMs + pauseMs < budget.deadlineMs ? pauseMs : null;
}

function settled(verdict: Verdict, call: Call, origin: string): Settled {
  if (verdict.state !== 'unauthorized') return verdict;
  const message = `${doingOf(call, origin)}: it does not take the token that it has just given`;
  return failed('nothing', failure('EDW_ERR_BIGIP_LOGIN', message)) satisfies Failed;
}

function wireOf(call: Call, token: Token | null, origin: string): Wire {
  const { method, path, search = '', body } = call;
  const isBytes = body instanceof Uint8Array;
  return {
    method,
    target: `/mgmt/${path}${search}`,
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
      ...(token !== null && { 'x-f5-auth-token': token.value }),
      ...call.headers,
    },
    body: body === undefined ? null : isBytes ? body : JSON.stringify(body),
    doing: doingOf(call, origin),
  };
}

function doingOf(call: Call, origin: string): string {
  return call.secretly ?? `${call.method} ${call.path.slice(0, 300)} at ${origin}`;
}

/** `https://localhost/mgmt/tm/sys/ready?ver=17.1.2` → `17.1.2`. */
function versionIn(selfLink: unknown): string | null {
  if (typeof selfLink !== 'string') return null;
  return /[?&]ver=(\d{1,3}(?:\.\d{1,3}){1,4})(?:&|$)/.exec(selfLink)?.[1] ?? null;
}
