/** A virtual server as the data plane needs it, read from the configuration. */
import { addressText } from '../config/address.ts';
import type { BoxConfig, ConfigObject } from '../config/box-config.ts';
import { parseDestination } from '../config/ltm/destination.ts';

export interface VirtualServer {
  fullPath: string;
  protocol: 'tcp' | 'udp';
  http: boolean;
  /** Types, as PROFILE::exists knows them. */
  profiles: string[];
  /** As rules see it: with `%rd`. Null is any. */
  address: string | null;
  /** Without `%rd`. */
  host: string;
  routeDomain: number;
  /** 0 is any. */
  port: number;
  pool: string | null;
  rules: string[];
}

const PROFILE_TYPES: Record<string, string> = {
  'ltm profile client-ssl': 'clientssl',
  'ltm profile server-ssl': 'serverssl',
  'ltm profile fastl4': 'fastL4',
  'ltm profile one-connect': 'oneconnect',
};

/** Null when it takes no traffic: disabled, or with a destination that nobody can listen on. */
export function virtualServer(object: ConfigObject, config: BoxConfig): VirtualServer | null {
  const { fullPath, properties } = object;
  if (properties.disabled === true || properties.enabled === false) return null;
  const destination = destinationOf(properties.destination, fullPath);
  if (destination === null) return null;
  const profiles = profilesOf(properties, config);
  const { address, port } = destination;
  const host = addressText({ ...address, routeDomain: 0 });
  return {
    fullPath,
    protocol: properties.ipProtocol === 'udp' ? 'udp' : 'tcp',
    http: profiles.includes('http') || profiles.includes('fasthttp'),
    profiles,
    address: address.groups.every((group) => group === 0) ? null : addressText(address),
    host,
    routeDomain: address.routeDomain,
    port,
    pool: typeof properties.pool === 'string' && properties.pool !== 'none' ? properties.pool : null,
    rules: Array.isArray(properties.rules) ? properties.rules.map(String) : [],
  };
}

function destinationOf(said: unknown, fullPath: string): ReturnType<typeof parseDestination> | null {
  try {
    return parseDestination(String(said), fullPath.slice(0, fullPath.lastIndexOf('/')));
  } catch {
    return null;
  }
}

function profilesOf(properties: Record<string, unknown>, config: BoxConfig): string[] {
  if (!Array.isArray(properties.profiles)) return [];
  return properties.profiles.map((said: unknown) => {
    const { fullPath, name } = typeof said === 'string' ? { fullPath: said, name: said } : (said as Named);
    return typeOf(String(fullPath ?? name), config);
  });
}

interface Named {
  fullPath?: unknown;
  name?: unknown;
}

/** By what the configuration holds under that name, else by the name itself. */
function typeOf(path: string, config: BoxConfig): string {
  for (const kind of PROFILE_KINDS)
    if (config.get(kind, path) !== null) return PROFILE_TYPES[kind] ?? kind.slice('ltm profile '.length);
  const name = path.slice(path.lastIndexOf('/') + 1);
  return /http/i.test(name) && !/compression|http2/i.test(name) ? 'http' : name;
}

const PROFILE_KINDS = 'http fasthttp tcp udp fastl4 client-ssl server-ssl one-connect http2 websocket ftp analytics'
  .split(' ')
  .map((name) => `ltm profile ${name}`);
