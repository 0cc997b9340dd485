/** What http.conf and nginx.conf have to say once: module, zones, logs. */
import { type Configuration, type Directive, everyDirective, named, type Place } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { denyLogOfReload, observedLogFindings, readsSnapshots, snapshotMissing } from './reload.ts';
import type { Server, Servers } from './servers.ts';

export interface SetupExpectations {
  /** What the policy needs of the zone; null: not known. */
  zoneBytes: number | null;
  /** The file that the service reads; null: not known. */
  denyLog: string | null;
  /** How the policy comes to this NGINX; null: as the configuration itself says. */
  mode: 'live' | 'hybrid' | 'reload' | null;
  /** Whether an object passes what it denies; of any where the policy is not known. */
  isObserved: (bind: string) => boolean;
}

export function setupFindings(
  { root }: Configuration,
  { http, httpPlace, servers }: Servers,
  expected: SetupExpectations,
): ServerFinding[] {
  if (servers.length === 0 && http.length === 0) return [];
  const guarded = servers.filter(({ hook }) => hook !== null);
  if ((expected.mode ?? (readsSnapshots(http) ? 'reload' : 'live')) === 'reload') {
    if (!readsSnapshots(http)) return [snapshotMissing(httpPlace)];
    return [
      ...denyLogOfReload(http, httpPlace, expected.denyLog),
      ...guarded.flatMap((server) => accessLogFindings(http, server)),
      ...guarded.flatMap((server) => observedLogFindings(server, expected.isObserved)),
    ];
  }
  return [
    ...moduleFindings(root, http, /ngx_http_js_module/),
    ...(zoneIn(http, 'edgeward') === null ? [zoneMissing(httpPlace)] : []),
    ...zoneFindings(http, 'edgeward', expected.zoneBytes),
    ...denyLogFindings(http, guarded, expected.denyLog),
    ...guarded.flatMap((server) => accessLogFindings(http, server)),
  ];
}

/** A `load_module` may be missing where NGINX was built with njs; only NGINX itself knows. */
export function moduleFindings(
  root: readonly Directive[],
  inside: readonly Directive[],
  module: RegExp,
): ServerFinding[] {
  const first = inside.find(({ name }) => name.startsWith('js_'));
  const isLoaded = named(root, 'load_module').some(({ args }) => module.test(args[0] ?? ''));
  if (first === undefined || isLoaded) return [];
  const message = "can't tell whether the njs module is there: no load_module names it";
  return [finding('unknown', 'EDW_WARN_NGINX_MODULE', first, message)];
}

function zoneMissing(at: Place): ServerFinding {
  return finding('error', 'EDW_ERR_NGINX_ZONE_MISSING', at, 'there is no zone for the policy: no server can be judged');
}

export function zoneIn(inside: readonly Directive[], wanted: string): Directive | null {
  return named(inside, 'js_shared_dict_zone').find((it) => zoneName(it) === wanted) ?? null;
}

/** Of the zone with this name, and those of its counts. Where there is none, nothing. */
export function zoneFindings(inside: readonly Directive[], wanted: string, bytes: number | null): ServerFinding[] {
  const zone = zoneIn(inside, wanted);
  const ours = [zone, zoneIn(inside, `${wanted}_counts`), zoneIn(inside, `${wanted}_folds`)];
  const has = zone === null ? null : sizeOf(zone);
  const needs = `the policy needs zone=${wanted}:${Math.ceil((bytes ?? 0) / 1048576)}m, and the zone has ${has} bytes: the push is refused`;
  return [
    ...ours.flatMap((it) => {
      if (it === null || !forgets(it)) return [];
      const forgotten = it === zone ? 'who is allowed, and then denies them' : 'how much was denied';
      const severity = it === zone ? 'error' : 'warning';
      return [finding(severity, 'EDW_ERR_NGINX_ZONE_FORGETS', it, `with evict or timeout NGINX forgets ${forgotten}`)];
    }),
    ...(zone !== null && bytes !== null && has !== null && has < bytes
      ? [finding('error', 'EDW_ERR_NGINX_ZONE_SMALL', zone, needs)]
      : []),
  ];
}

function zoneName({ args }: Directive): string | undefined {
  return /^zone=([^:]+)/.exec(args.find((it) => it.startsWith('zone=')) ?? '')?.[1];
}

function forgets({ args }: Directive): boolean {
  return args.some((it) => it === 'evict' || it.startsWith('timeout='));
}

function sizeOf({ args }: Directive): number | null {
  const [, digits = '', unit = ''] =
    /^zone=[^:]+:(\d+)([kKmM]?)$/.exec(args.find((it) => it.startsWith('zone=')) ?? '') ?? [];
  const factor = { '': 1, k: 1024, m: 1048576 }[unit.toLowerCase()];
  return digits === '' || factor === undefined ? null : Number(digits) * factor;
}

export function denyLogFindings(
  http: readonly Directive[],
  guarded: readonly Pick<Server, 'block'>[],
  denyLog: string | null,
): ServerFinding[] {
  const usual = http.find(({ name, args }) => name === 'js_var' && args[0] === '$edgeward_deny_log');
  const wanted = denyLog ?? usual?.args[1] ?? null;
  const own = guarded.flatMap(({ block }) =>
    [...everyDirective(block)].filter(({ name, args }) => name === 'set' && args[0] === '$edgeward_deny_log'),
  );
  return [...(usual === undefined ? [] : [usual]), ...own]
    .filter(({ args }) => wanted !== null && args[1] !== wanted)
    .map((it) => {
      const message = `denials are written to ${it.args[1]}, and ${denyLog === null ? 'elsewhere' : 'the service reads'} ${wanted}: they are never collected`;
      return finding('warning', 'EDW_WARN_NGINX_DENY_LOG', it, message);
    });
}

/**
 * The deny log itself is no access_log, and nothing cancels it. Whoever writes denials to an access_log of their own,
 * by `if=$edgeward_denied` or by a format that names our variables, loses them in a server with another access_log. One
 * in a location cancels nothing: a denial never gets there.
 */
function accessLogFindings(http: readonly Directive[], { block, title }: Server): ServerFinding[] {
  const formats = named(http, 'log_format').filter(({ args }) => args.slice(1).some(isOurs));
  const ourFormats = new Set(formats.map(({ args }) => args[0]));
  const isOurLog = ({ args }: Directive): boolean => args.slice(1).some((it) => isOurs(it) || ourFormats.has(it));
  const logs = named(http, 'access_log').filter(isOurLog);
  const own = named(block, 'access_log');
  const [first] = own;
  if (logs.length === 0 || first === undefined || own.some(isOurLog)) return [];
  const message = `the access_log of ${title} cancels the one that it would inherit: its denials are missing in ${logs[0]?.args[0]}`;
  return [finding('warning', 'EDW_WARN_NGINX_ACCESS_LOG', first, message)];
}

function isOurs(text: string): boolean {
  return /\$\{?edgeward_/.test(text);
}
