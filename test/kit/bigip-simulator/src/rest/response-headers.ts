/** Headers that every answer of a BIG-IP carries, recorded on 17.1 and 13.1. */
import type { TmosVersion } from '../simulator.ts';
import type { Answer } from './answer.ts';

const jetty: Record<TmosVersion, string> = { '13.1.3': 'Jetty(9.2.22.v20170606)', '17.1.2': 'Jetty(9.4.49.v20220914)' };

const always: [string, string][] = [
  ['X-Frame-Options', 'SAMEORIGIN'],
  ['Strict-Transport-Security', 'max-age=16070400; includeSubDomains'],
];

const afterType: [string, string][] = [
  ['Pragma', 'no-cache'],
  ['Cache-Control', 'no-store'],
  ['Cache-Control', 'no-cache'],
  ['Cache-Control', 'must-revalidate'],
  ['Expires', '-1'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-XSS-Protection', '1; mode=block'],
  ['Content-Security-Policy', "default-src 'self'  'unsafe-inline' 'unsafe-eval' data: blob:; img-src 'self' data:"],
];

export function headersOf(answer: Answer, version: TmosVersion, userName: string | null): [string, string][] {
  if (answer.form === 'html')
    return [...always, ['Content-Type', 'text/html; charset=iso-8859-1'], ['Server', 'Apache']];
  return [
    ['Server', jetty[version]],
    ...cookies(userName),
    ...always,
    ['Content-Type', 'application/json; charset=UTF-8'],
    ['Allow', ''],
    ...(answer.status === 401 ? [['WWW-Authenticate', 'X-Auth-Token'] as [string, string]] : []),
    ...afterType,
  ];
}

/** The cookie itself opens nothing here. */
function cookies(userName: string | null): [string, string][] {
  if (userName === null) return [];
  const ending = 'path=/; Secure; HttpOnly; SameSite=Strict';
  return [
    ['Set-Cookie', `BIGIPAuthCookie=simulated; ${ending}`],
    ['Set-Cookie', `BIGIPAuthUsernameCookie=${encodeURIComponent(userName)}; ${ending}`],
  ];
}
