import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { type Answers, nativeObject } from './native-object.ts';
import { allowText, everyText, type ObjectText } from './object-text.ts';
import { type MapLine, mapBlock, plainKey, twinsAmong } from './text.ts';

/**
 * A compiled policy as `geo` and `map` blocks of NGINX: what NGINX can say of an address, a port and a method without
 * any module. Nothing is written here. A generation's files are new ones: NGINX takes its binary form of ranges for
 * right when it is of the same second as the text, so a file that is written twice may be read as it was before.
 *
 * The include wants `$edgeward_server` and `$edgeward_port`, in http and in stream. It gives
 *
 *   $edgeward_native       `every`: `allow REASON RULE` or `deny REASON RULE`, `-` for no rule; `allow`: `allow`, or empty,
 *                          in http alone, and always empty for a request that carries the mark of a proof
 *   $edgeward_active       `GENERATION REVISION HASH`
 *   $edgeward_generation   its first word
 *   $edgeward_object       the object's name as the policy writes it, empty for an unknown one       (`every` alone)
 *   $edgeward_native_port  the port that was judged, `443` or `udp/53`                              (`every` alone)
 *   $edgeward_mode         enforce, observe, off, or empty for an unknown one                         (`every` alone)
 */
export interface NativeOptions {
  /** Never used twice: `g` and up to 30 letters and digits. */
  generation: string;
  /** Absolute. The files stand in FOLDER/GENERATION. */
  folder: string;
  answers: Answers;
}

interface NativeFile {
  /** Below the folder: `g1/http.conf`. */
  name: string;
  text: string;
}

export interface NativeSnapshot {
  generation: string;
  revision: number;
  hash: string;
  files: NativeFile[];
}

const GENERATION = /^g[0-9a-z]{1,30}$/;
const SAFE_PATH = /^\/[A-Za-z0-9._/@+-]+$/;
const NO_HASH = '0'.repeat(64);

/** Without a policy everything is denied, `no-policy`, or asked. Throws EDW_ERR_NGINX_PATH. */
export function nativeSnapshot(policy: CompiledPolicy | null, options: NativeOptions): NativeSnapshot {
  const { generation, folder } = options;
  if (!GENERATION.test(generation)) throw new Error(`${JSON.stringify(generation)} names no generation`);
  requireSafe(folder);
  const { revision = 0, hash = NO_HASH } = policy ?? {};
  const files = (['http', 'stream'] as const).flatMap((transport) => {
    const protocol = transport === 'http' ? 'http' : 'tcp';
    // Plain connections have no `if`, and so nobody who would ask first.
    const isAsked = transport === 'http' || options.answers === 'every';
    const objects = policy?.objects.filter((object) => isAsked && object.protocol === protocol) ?? null;
    const head = { active: `${generation} ${revision} ${hash}`, transport };
    return transportFiles(objects, head, options);
  });
  return { generation, revision, hash, files };
}

interface Head {
  active: string;
  transport: 'http' | 'stream';
}

function transportFiles(
  objects: CompiledObject[] | null,
  { active, transport }: Head,
  options: NativeOptions,
): NativeFile[] {
  const { generation, folder, answers } = options;
  const twins = twinsAmong((objects ?? []).map(({ bind }) => bind));
  const texts = (objects ?? []).map((object, i): [string, ObjectText] => {
    const name = `${generation}/${transport}-${i}.ranges`;
    const place = { index: i.toString(36), rangesFile: `${folder}/${name}`, twins };
    const native = nativeObject(object, answers);
    return [name, answers === 'every' ? everyText(native, place) : allowText(native, place)];
  });
  const blocks = [
    `# Edgeward: ${active}. Written by the sync service; another policy is another file.\n\n`,
    mapBlock('""', 'edgeward_generation', generation, []),
    mapBlock('""', 'edgeward_active', active, []),
    ...texts.map(([, { blocks }]) => blocks),
  ];
  if (blocks.some((block) => block.includes('$edgeward_native_method'))) blocks.push(METHOD_MAP);
  const lines = texts.flatMap(([, { lines }]) => lines);
  if (answers === 'every') {
    const nothing = objects === null ? 'deny no-policy -' : 'deny unknown-object -';
    blocks.push(transport === 'http' ? PORT_MAP : STREAM_PORT_MAP, objectBlocks(objects ?? [], twins));
    blocks.push(mapBlock('"$edgeward_object $edgeward_native_port"', 'edgeward_native', nothing, lines));
  } else if (transport === 'http') {
    blocks.push(mapBlock('"$edgeward_server $edgeward_port $http_edgeward_proof"', 'edgeward_native', '', lines));
  }
  const ranges = texts.flatMap(([name, { ranges }]) => (ranges === null ? [] : [{ name, text: ranges }]));
  return [{ name: `${generation}/${transport}.conf`, text: blocks.join('') }, ...ranges];
}

/**
 * The method of a request whose path can be read in one way alone: no escape, no empty segment, none that begins with a
 * dot. Empty for any other, which whoever can read a path is asked about.
 */
const METHOD_MAP = `map $request $edgeward_native_method {
    default "";
    "~^([A-Z]+) /(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]*+/?)*+(?:\\?[^ ]*+)? HTTP/[12]\\.[01]$" $1;
}
`;

const PORT_MAP = `map $edgeward_port $edgeward_native_port {
    default $edgeward_port;
    "" $server_port;
}
`;

const STREAM_PORT_MAP = `map $protocol $edgeward_native_protocol {
    default "?/";
    TCP "";
    UDP "udp/";
}
map $edgeward_port $edgeward_native_port {
    default $edgeward_native_protocol$edgeward_port;
    "" $edgeward_native_protocol$server_port;
}
`;

/** The name as it is written: NGINX finds it in a map whatever its case, so that the two are compared once more. */
function objectBlocks(objects: CompiledObject[], twins: ReadonlySet<string>): string {
  const names = objects.map(({ bind }): MapLine => [plainKey(bind, twins), bind]);
  const modes = objects.map(({ bind, mode }): MapLine => [plainKey(bind, twins), mode]);
  return [
    mapBlock('$edgeward_server', 'edgeward_named', '', names),
    `map "$edgeward_server $edgeward_named" $edgeward_object {\n    default "";\n    "~^(.+) \\1$" $edgeward_named;\n}\n`,
    mapBlock('$edgeward_object', 'edgeward_mode', '', modes),
  ].join('');
}

function requireSafe(folder: string): void {
  if (SAFE_PATH.test(folder)) return;
  throw new EdgewardError('EDW_ERR_NGINX_PATH', `${JSON.stringify(folder)} can't stand in an NGINX configuration`, {
    mend: 'Use an absolute path of letters, digits and . _ / @ + - only.',
  });
}
