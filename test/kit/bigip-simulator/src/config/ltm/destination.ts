/** Where a virtual server listens: `/Common/10.0.0.1%2:443`, `/Common/2001:db8::1.443`; ports may be names of services. */
import { type Address, addressText, parseAddress } from '../address.ts';
import { invalidProperty } from '../mcpd-errors.ts';
import { folderOf, nameOf } from '../paths.ts';

export interface Destination {
  folder: string;
  address: Address;
  port: number;
}

const SERVICES: Record<string, number> = {
  any: 0,
  domain: 53,
  ftp: 21,
  http: 80,
  'http-alt': 8008,
  https: 443,
  imap: 143,
  ldap: 389,
  ldaps: 636,
  mysql: 3306,
  ntp: 123,
  pop3: 110,
  postgresql: 5432,
  smtp: 25,
  ssh: 22,
  syslog: 514,
  telnet: 23,
  webcache: 8080,
};

/** Null when it is neither a port nor a service that is known here. */
export function portNumber(text: string): number | null {
  if (/^\d{1,5}$/.test(text)) return Number(text) <= 65535 ? Number(text) : null;
  return Object.hasOwn(SERVICES, text) ? (SERVICES[text] ?? null) : null;
}

export function parseDestination(text: string, folder: string): Destination {
  const name = text.startsWith('/') ? nameOf(text) : text;
  const joint = (name.match(/:/g) ?? []).length > 1 ? '.' : ':';
  const at = name.lastIndexOf(joint);
  const port = at === -1 ? null : portNumber(name.slice(at + 1));
  const address = parseAddress(wildcard(name.slice(0, Math.max(at, 0))));
  if (port === null || address === null) throw invalidProperty('destination', text);
  return { folder: text.startsWith('/') ? folderOf(text) : folder, address, port };
}

export const destinationText = ({ folder, address, port }: Destination): string =>
  `${folder}/${addressText(address)}${address.family === 4 ? ':' : '.'}${port}`;

function wildcard(host: string): string {
  if (host === 'any' || host.startsWith('any%')) return host.replace('any', '0.0.0.0');
  if (host === 'any6' || host.startsWith('any6%')) return host.replace('any6', '::');
  return host;
}
