import { createHmac } from 'node:crypto';

/**
 * Names in NGINX's zone have 48 bits, because a longer key would take twice the memory. Of 48 bits of a plain hash whoever
 * writes an object could search two texts with one name, and the second would be judged by the tables of the first. Keyed
 * with the push token, which whoever writes policies does not have, a name can't be searched. By chance two of a thousand
 * tables have one name in one policy of 500 million, which is refused. Services that share an NGINX share the token, and
 * so the names.
 */
export type NameOf = (text: string) => string;

const DIGITS = 12;

export function namesUnder(token: string): NameOf {
  // Never the token itself as the key: what proves who pushes and what names tables are two things.
  const key = createHmac('sha256', token).update('edgeward zone names').digest();
  return (text) => createHmac('sha256', key).update(text).digest('hex').slice(0, DIGITS);
}
