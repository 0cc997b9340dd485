import { EVERY_REQUEST, type Request } from '@edgeward/policy';
import type { DataRecord } from '../layout/index.ts';

/** What requests an outcome lets through, read from a request group. Paths stand in canonical percent-encoding. */
export const EVERY: Request = { by: 'allow', ...EVERY_REQUEST };

/** Conditions of a request group by their key, put together again where a value goes on in the next record. */
export function readRequests(records: Iterable<DataRecord>): Map<string, Request[]> {
  const values = new Map<string, string>();
  for (const { name, data } of records) values.set(name, data);
  const requests = new Map<string, Request[]>();
  for (const key of values.keys()) if (!key.includes('.')) requests.set(key, conditionsIn(wholeValue(values, key)));
  return requests;
}

function wholeValue(values: ReadonlyMap<string, string>, key: string): string {
  let text = values.get(key) ?? '';
  for (let part = 1; text.endsWith(' +') && values.has(`${key}.${part}`); part += 1)
    text = `${text.slice(0, -1)}${values.get(`${key}.${part}`)}`;
  return text;
}

function conditionsIn(text: string): Request[] {
  const words = text.split(' ');
  const conditions: Request[] = [];
  for (let at = 0; at + 4 < words.length; at += 5) {
    const [action, , methods = '*', path = '*', hosts = '*'] = words.slice(at, at + 5);
    for (const method of methods.split(','))
      for (const host of hosts.split(','))
        conditions.push({
          by: action === 'deny' ? 'deny' : 'allow',
          method: anyOr(method),
          path: anyOr(path),
          host: anyOr(host),
        });
  }
  return conditions;
}

function anyOr(word: string): string | null {
  return word === '*' ? null : word;
}
