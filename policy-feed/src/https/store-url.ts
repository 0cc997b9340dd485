/**
 * The address of a store or a mirror as people write it. A URL that is not taken is never repeated in a message: it may
 * hold a password.
 */
import { isIP } from 'node:net';
import { storeFailure } from '../failures.ts';
import { addressRefusal, isLoopbackLiteral } from './address-check.ts';

export interface StoreUrl {
  /** `https://store:9443` */
  origin: string;
  /** Begins with a slash, ends without one; empty for none. */
  path: string;
  /** The URL itself names a loopback address, or `localhost`. */
  loopback: boolean;
}

/** Throws EDW_ERR_STORE_URL. */
export function storeUrlOf(text: string, what: 'store' | 'mirror'): StoreUrl {
  const refuse = (why: string): Error => storeFailure('EDW_ERR_STORE_URL', `reading the address of a ${what}: ${why}`);
  const url = URL.parse(text);
  if (url === null) throw refuse('it is no URL');
  if (url.username !== '' || url.password !== '' || /[?#@\\]/.test(text))
    throw refuse('it has a user, a query or a fragment');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // Numbers that a browser would read as an address: whoever reviews a configuration has to see where it leads.
  if (isIP(host) !== 0 && !text.toLowerCase().includes(host)) throw refuse('its address is not in the usual form');
  const literal = isLoopbackLiteral(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && literal))
    throw refuse('it is neither https nor a literal loopback address');
  const loopback = literal || host === 'localhost';
  const refusal = isIP(host) === 0 ? null : addressRefusal(host, { loopback });
  if (refusal !== null) throw refuse(`its address ${refusal}`);
  const path = url.pathname.replace(/\/+$/, '');
  if (what === 'store' && path !== '') throw refuse('it has a path');
  return { origin: url.origin, path, loopback };
}
