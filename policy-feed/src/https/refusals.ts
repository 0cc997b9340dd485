/** What an answer other than the wished one means. The store's own text is repeated cleaned and short, never obeyed. */
import { cleanText, type StoreFailureCode, storeFailure } from '../failures.ts';
import type { Answer } from './call.ts';

/** `missing` is the code for a 404. */
export function refusalOf(answer: Answer, doing: string, missing: StoreFailureCode = 'EDW_ERR_STORE_ANSWER'): Error {
  const { status } = answer;
  const said = errorTextIn(answer.bytes);
  const message = `${doing}: ${said === '' ? `it answered ${status}` : `it answered ${status}, ${said}`}`;
  if (status === 401 || status === 403) return storeFailure('EDW_ERR_STORE_REFUSED', message);
  if (status === 404) return storeFailure(missing, message);
  if (status === 429 || status >= 500) return storeFailure('EDW_ERR_STORE_UNREACHABLE', message);
  if (status >= 300 && status < 400 && status !== 304)
    return storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it redirects (${status}), which is not followed`);
  return storeFailure(status >= 400 ? 'EDW_ERR_STORE_REFUSED' : 'EDW_ERR_STORE_ANSWER', message);
}

/** `EDW_ERR_…: message` of `{error: {code, message}}`; empty when it says nothing of ours. */
function errorTextIn(bytes: Uint8Array): string {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const error = typeof value === 'object' && value !== null && 'error' in value ? value.error : null;
    if (typeof error !== 'object' || error === null) return '';
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const said = 'message' in error && typeof error.message === 'string' ? error.message : '';
    return cleanText([code, said].filter((it) => it !== '').join(': '));
  } catch {
    return '';
  }
}
