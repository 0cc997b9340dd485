/**
 * What an answer means. iControl REST speaks in two families of errors: icrd's (`apiError`, mcpd's text with its number)
 * and restjavad's (`kind: ":resterrorresponse"`), and where both are away, Apache and Jetty answer with pages. A 401 of
 * restjavad echoes the request with its password: nothing of it is ever repeated.
 */
import type { Call, Failed, Verdict } from './call.ts';
import { cleanText, type FailureCode, failed, failure } from './failures.ts';
import type { Json } from './icontrol.ts';
import type { Answered } from './transport.ts';

/** `doing` is what messages begin with. */
export function judge(call: Call, doing: string, answer: Answered): Verdict {
  const { status } = answer;
  const body = jsonObject(answer.text);
  if (status >= 200 && status < 300) return success(call, doing, answer, body);
  const text = typeof body?.message === 'string' ? body.message : '';
  if (status === 401 || status === 403) return unauthorized(call, doing, status, text);
  const fail = (effect: Failed['effect'], code: FailureCode, said: string): Failed =>
    failed(effect, failure(code, `${doing}: ${said}`));
  if (body === null) return page(call, status, fail);
  // Neither a login nor a token is ever quoted, whatever the box puts into its text.
  const said = call.secretly !== undefined || text === '' ? `it answered ${status}` : cleanText(text);
  if (status === 404 && isObjectMissing(body, text)) return { state: 'absent', text: said };
  const [effect, code] = meaning(status, body, text);
  return fail(effect, code, said);
}

/** The object in this text, or null for anything else. */
function jsonObject(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null; // The message of the error would quote the text.
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A DELETE and some commands answer 200 with nothing in it; what reads must have something to read. */
function success(call: Call, doing: string, answer: Answered, body: Json | null): Verdict {
  const bytes = answer.text.length;
  if (body !== null) return { state: 'done', body, bytes };
  if (call.method !== 'GET' && answer.text.trim() === '') return { state: 'done', body: {}, bytes };
  const message = `${doing}: it answered ${answer.status} with something else than a JSON object`;
  return failed('unknown', failure('EDW_ERR_BIGIP_ANSWER', message));
}

/** Roles are checked by restjavad (401, "Authorization failed") and by mcpd (403). */
function unauthorized(call: Call, doing: string, status: 401 | 403, text: string): Verdict {
  const isRole = status === 403 || /^authorization failed/i.test(text);
  if (!isRole || call.secretly !== undefined) return { state: 'unauthorized', dead: /^X-F5-Auth-Token /.test(text) };
  const said = status === 403 && text !== '' ? cleanText(text) : `it answered ${status}`;
  return failed(
    'nothing',
    failure('EDW_ERR_BIGIP_RIGHTS', `${doing}: the role of the user does not allow it: ${said}`),
  );
}

type Fail = (effect: Failed['effect'], code: FailureCode, said: string) => Failed;

/** Of Apache while restjavad is away, or of Jetty after a time-out: then a write may still be made. */
function page(call: Call, status: number, fail: Fail): Failed {
  if (status >= 500) return fail('unknown', 'EDW_ERR_POINT_UNREACHABLE', `it answered ${status} with a page`);
  if (status === 404) return fail('nothing', 'EDW_ERR_POINT_UNREACHABLE', 'iControl REST is not there (404)');
  const said = status >= 300 && status < 400 ? `it redirects (${status})` : `it answered ${status} with a page`;
  return fail(call.method === 'GET' ? 'nothing' : 'unknown', 'EDW_ERR_BIGIP_ANSWER', said);
}

/**
 * A box that starts knows no paths yet and says 404 to all of them. Taken for "there is none", it would make the driver
 * write everything anew.
 */
function isObjectMissing(body: Json, text: string): boolean {
  if (/not registered/i.test(text)) return false;
  return typeof body.apiError === 'number' || /^[0-9a-f]{8}:\d+: /i.test(text);
}

const ASYNC_TASK = 32964609;

function meaning(status: number, body: Json, text: string): [Failed['effect'], FailureCode] {
  if (status === 404) return ['nothing', 'EDW_ERR_POINT_UNREACHABLE'];
  if (status === 503 && (body.apiError === ASYNC_TASK || /active asynchronous task/i.test(text))) {
    return ['busy', 'EDW_ERR_BIGIP_BUSY'];
  }
  if (status >= 500) return ['unknown', 'EDW_ERR_POINT_UNREACHABLE'];
  // "request failed with null exception": the answer was too large for restjavad, whatever became of the request.
  if (status === 422) return ['unknown', 'EDW_ERR_BIGIP_REFUSED'];
  if (/maximum active login tokens/i.test(text)) return ['nothing', 'EDW_ERR_BIGIP_TOKENS_EXHAUSTED'];
  if (status === 409 && (text.startsWith('01020066:') || /already exists/i.test(text))) {
    return ['nothing', 'EDW_ERR_BIGIP_EXISTS'];
  }
  if (text.startsWith('01070265:') || /\bin use by\b/i.test(text)) return ['nothing', 'EDW_ERR_BIGIP_IN_USE'];
  if (status >= 400) return ['nothing', 'EDW_ERR_BIGIP_REFUSED'];
  return ['unknown', 'EDW_ERR_BIGIP_ANSWER'];
}
