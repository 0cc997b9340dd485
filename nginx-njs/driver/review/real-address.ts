/** Which address the hook judges: realip and the PROXY protocol as NGINX takes them, and where they are written wrongly. */
import { contains, type Interval, keyFromBytes, parseAddress, parseCidr, union } from '@edgeward/policy';
import { type Directive, everyDirective } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { inherited, type Server, type Servers } from './servers.ts';

export interface RealAddress {
  /** Peers that are believed. */
  from: Interval[];
  believesUnix: boolean;
  /** Entries of `set_real_ip_from` that are names: looked up by NGINX when it starts. */
  names: Directive[];
  /** Lower case: `x-real-ip` where nothing is said; `proxy_protocol`. */
  header: string;
  recursive: boolean;
  /** Where it is written; empty: nothing is believed. */
  lines: Directive[];
}

/** As NGINX merges `http` and `server`. */
export function realAddressOf(server: Pick<Server, 'block'>, http: readonly Directive[]): RealAddress {
  return {
    ...believedPeers(inherited(server, http, 'set_real_ip_from')),
    header: (inherited(server, http, 'real_ip_header').at(-1)?.args[0] ?? 'X-Real-IP').toLowerCase(),
    recursive: inherited(server, http, 'real_ip_recursive').at(-1)?.args[0] === 'on',
  };
}

type Believed = Pick<RealAddress, 'from' | 'believesUnix' | 'names' | 'lines'>;

/** `lines` are those of `set_real_ip_from`. */
export function believedPeers(lines: Directive[]): Believed {
  const words = lines.map((line) => line.args[0] ?? '');
  const read = words.map(cidrOf);
  return {
    from: union(read.filter((it) => it !== null)),
    believesUnix: words.includes('unix:'),
    names: lines.filter((_, index) => read[index] === null && words[index] !== 'unix:'),
    lines,
  };
}

/** NGINX takes host bits for what they are: a warning, and the network. */
function cidrOf(text: string): Interval | null {
  const exact = parseCidr(text);
  if (exact !== 'host-bits') return exact;
  const [address = '', prefix = ''] = text.split('/');
  const key = parseAddress(address);
  if (key === null) return null;
  const keep = Math.floor(Number(prefix) / 4);
  const digit = Number.parseInt(key[keep] ?? '0', 16) & (0xf0 >> (Number(prefix) % 4)) & 0xf;
  const rest = key.length - keep - 1;
  const bits = (0xf >> (Number(prefix) % 4)) | digit;
  const lo = keyFromBytes(key.slice(0, keep) + digit.toString(16) + '0'.repeat(rest));
  const hi = keyFromBytes(key.slice(0, keep) + bits.toString(16) + 'f'.repeat(rest));
  return lo === null || hi === null ? null : { lo, hi };
}

export function addressFindings({ servers, http }: Servers): ServerFinding[] {
  const guarded = servers.filter(({ hook }) => hook !== null);
  const found = guarded.flatMap((server) => [
    ...believed(server.title, realAddressOf(server, http)),
    ...inLocations(server),
    ...proxyProtocol(server, realAddressOf(server, http)),
    ...server.listeners
      .filter(({ quic }) => quic)
      .map((listener) => finding('unknown', 'EDW_WARN_NGINX_HTTP3', listener, HTTP3)),
  ]);
  return unique(found);
}

const HTTP3 = "can't tell what becomes of requests over HTTP/3: no policy was ever tried on them";

/** What stands in `http` would be told once for each server. */
function unique(found: ServerFinding[]): ServerFinding[] {
  const seen = new Set<string>();
  return found.filter(({ code, file, line }) => {
    const key = `${code} ${line} ${file}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** What no single balancer has: all of IPv4, all of IPv6, or all of it that is given out. */
const EVERYBODY: [string, Interval][] = [
  ['every IPv4 address', { lo: '00000000', hi: 'ffffffff' }],
  ['every IPv6 address', { lo: `2${'0'.repeat(31)}`, hi: `3${'f'.repeat(31)}` }],
];

/** Of `title`, which believes what `says` says. */
export function believedAddresses(title: string, says: string, lines: Directive[]): ServerFinding[] {
  return believed(title, { ...believedPeers(lines), header: says });
}

function believed(title: string, real: Believed & Pick<RealAddress, 'header'>): ServerFinding[] {
  const [first] = real.lines;
  const covers = (one: Interval): boolean => real.from.some(({ lo, hi }) => holds(lo, hi, one));
  const who = EVERYBODY.filter(([, interval]) => covers(interval)).map(([words]) => words);
  const names = real.names.map((line) =>
    finding(
      'unknown',
      'EDW_WARN_NGINX_REALIP_NAME',
      line,
      `can't tell which addresses ${line.args[0]} has: NGINX looks the name up when it starts`,
    ),
  );
  if (first === undefined || who.length === 0) return names;
  const at = real.lines.find(({ args }) => /\/0$/.test(args[0] ?? '')) ?? first;
  const message = `${title} believes ${real.header} from ${who.join(' and ')}: every client says itself who it is`;
  return [...names, finding('error', 'EDW_ERR_NGINX_REALIP_ANYBODY', at, message)];
}

function holds(lo: string, hi: string, one: Interval): boolean {
  return lo.length === one.lo.length && contains([{ lo, hi }], one.lo) && contains([{ lo, hi }], one.hi);
}

const REALIP = new Set(['set_real_ip_from', 'real_ip_header', 'real_ip_recursive']);

function inLocations({ block, title }: Server): ServerFinding[] {
  const below = block.filter(({ name }) => name === 'location').flatMap((location) => [...everyDirective([location])]);
  const first = below.find(({ name }) => REALIP.has(name));
  if (first === undefined) return [];
  const message = `${title}: ${first.name} in a location comes after the verdict, which judges the balancer in place of the client`;
  return [finding('error', 'EDW_ERR_NGINX_REALIP_LOCATION', first, message)];
}

function proxyProtocol({ listeners, title }: Server, real: RealAddress): ServerFinding[] {
  const taken = real.header === 'proxy_protocol' && real.lines.length > 0;
  return listeners
    .filter((listener) => listener.proxyProtocol && !taken)
    .map((listener) => {
      const message = `${title}: ${listener.text} takes the PROXY protocol, but the address in it is not used: the balancer is judged`;
      return finding('warning', 'EDW_WARN_NGINX_PROXY_PROTOCOL', listener, message);
    });
}
