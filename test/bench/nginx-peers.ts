/**
 * What people use in place of Edgeward, in the same NGINX and with the same list: NGINX's own `allow`, its `geo`, and Lua that
 * asks a shared dictionary once for each prefix length from 32 to 0, as CrowdSec's bouncer does. It does less than that bouncer:
 * it knows nothing but yes and no. A second one asks only for the five lengths that this list has, the most frequent first.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NginxEdition } from '../kit/index.ts';
import { addressOf, type Cidr, cidrText, PREFIXES, rangesOf } from './nginx-cidrs.ts';

/** Above it `allow` is not measured: it walks the list for every request, 50 µs at 100,000. */
const ALLOW_LIMIT = 10_000;

export interface Peer {
  name: string;
  words: string;
  /** Directives of http { }, and of its server. */
  http: string;
  server: string;
  /** For denied traffic alone: what it costs to say so in a log. */
  deniedOnly?: boolean;
}

export const LUA_MODULES: readonly string[] = ['ndk_http_module.so', 'ngx_http_lua_module.so'];

/** Writes the lists into `folder`; what is left out of the answer can't be measured at this size. */
export async function writePeers(folder: string, cidrs: readonly Cidr[], edition: NginxEdition): Promise<Peer[]> {
  const file = (name: string): string => join(folder, name);
  await writeFile(file('cidrs.geo'), cidrs.map((cidr) => `${cidrText(cidr)} 0;\n`).join(''));
  const ranges = rangesOf(cidrs).map(({ from, to }) => `${addressOf(from)}-${addressOf(to)} 0;\n`);
  await writeFile(file('ranges.geo'), ranges.join(''));
  await writeFile(file('keys'), cidrs.map(({ network, prefix }) => `${prefix}_${network | 0}`).join('\n'));
  const script = async (name: string, prefixes: readonly number[]): Promise<string> => {
    await writeFile(file(`${name}.lua`), luaAsking(prefixes));
    return `access_by_lua_file ${file(`${name}.lua`)};`;
  };
  const everyLength = await script(
    'lua',
    Array.from({ length: 33 }, (_, n) => 32 - n),
  );
  const peers: Peer[] = [
    geo('geo-cidr', 'native `geo` of CIDRs', `geo $bench_cidr { default 1; include ${file('cidrs.geo')}; }`),
    geo(
      'geo-ranges',
      'native `geo` of ranges',
      `geo $bench_ranges { ranges; default 1; include ${file('ranges.geo')}; }`,
    ),
    { ...lua(file('keys'), cidrs.length, edition.root), server: everyLength },
    luaLogged(everyLength, file('lua-denied.log')),
    {
      name: 'lua-lean',
      words: 'Lua, a look for each length of the list',
      http: '',
      server: await script('lean', PREFIXES),
    },
  ];
  if (cidrs.length > ALLOW_LIMIT) return peers;
  await writeFile(file('allow.conf'), `${cidrs.map((cidr) => `allow ${cidrText(cidr)};\n`).join('')}deny all;\n`);
  return [
    { name: 'allow', words: 'native `allow` and `deny`', http: '', server: `include ${file('allow.conf')};` },
    ...peers,
  ];
}

function geo(name: string, words: string, http: string): Peer {
  const variable = name === 'geo-cidr' ? '$bench_cidr' : '$bench_ranges';
  return { name, words, http, server: `if (${variable}) { return 403; }` };
}

function lua(keys: string, count: number, root: string): Omit<Peer, 'server'> {
  // 128 bytes for each, as measured, and what a slab allocator leaves over.
  const megabytes = Math.max(2, Math.ceil((count * 160) / 2 ** 20));
  return {
    name: 'lua',
    words: 'Lua, a look for each prefix length (as CrowdSec)',
    http: `lua_package_path "${root}/usr/share/lua/5.1/?.lua;;";
  lua_shared_dict bench ${megabytes}m;
  init_by_lua_block { for key in io.lines("${keys}") do assert(ngx.shared.bench:safe_set(key, true)) end }`,
  };
}

function luaLogged(server: string, log: string): Peer {
  return {
    name: 'lua-logged',
    words: 'the same, its denials logged (JSON, buffered)',
    http: `log_format bench escape=json '{"t":"$msec","source":"$remote_addr","peer":"$realip_remote_addr","method":"$request_method","path":"$request_uri","host":"$host","ref":"$request_id"}';
  map $status $bench_denied { default 0; 403 1; }`,
    server: `${server} access_log ${log} bench buffer=64k flush=1s if=$bench_denied;`,
    deniedOnly: true,
  };
}

function luaAsking(prefixes: readonly number[]): string {
  const masks = prefixes.map((prefix) => (prefix === 0 ? 0 : (-1 << (32 - prefix)) | 0));
  return `local bit, byte = require "bit", string.byte
local names, masks = { ${prefixes.map((prefix) => `"${prefix}_"`).join(', ')} }, { ${masks.join(', ')} }
local address = ngx.var.binary_remote_addr
if #address == 4 then
  local a, b, c, d = byte(address, 1, 4)
  local number = bit.bor(bit.lshift(a, 24), bit.lshift(b, 16), bit.lshift(c, 8), d)
  local dict = ngx.shared.bench
  for i = 1, #names do
    if dict:get(names[i] .. bit.band(number, masks[i])) then return end
  end
end
return ngx.exit(403)
`;
}
