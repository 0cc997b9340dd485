/**
 * What reload.conf has to say once, where the policy comes by snapshots and not by njs. Its deny log is an access_log, so
 * that whatever has one of its own does not inherit it.
 */
import { type Directive, everyDirective, named, type Place } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import type { Server } from './servers.ts';

/** How `$edgeward_denied` is made of what a snapshot says. Anything else may let in who is denied. */
const CLOSED_MAP = [
  ['default', '1'],
  ['~^(?:enforce|observe|off) allow ', '0'],
  ['~^observe deny ', '0'],
];

export function isSnapshotMap({ name, args }: Pick<Directive, 'name' | 'args'>): boolean {
  return name === 'map' && args[0] === '$edgeward_mode $edgeward_native' && args[1] === '$edgeward_denied';
}

export function isClosedSnapshotMap(entries: readonly (readonly [string, string])[]): boolean {
  return JSON.stringify(entries) === JSON.stringify(CLOSED_MAP);
}

export function readsSnapshots(http: readonly Directive[]): boolean {
  return http.some(isSnapshotMap);
}

export function snapshotMissing(at: Place): ServerFinding {
  const message = 'reload.conf is not included: there is no snapshot for the policy, and no server can be judged';
  return finding('error', 'EDW_ERR_NGINX_SNAPSHOT_MISSING', at, message);
}

/** The deny log itself: that it is there, and where the service reads it. null: not known where. */
export function denyLogOfReload(http: readonly Directive[], at: Place, denyLog: string | null): ServerFinding[] {
  const logs = named(http, 'access_log').filter(isDenyLog);
  const [first] = logs;
  if (first === undefined) {
    const message = 'no access_log of http { } names denials: they are never collected';
    return [finding('warning', 'EDW_WARN_NGINX_DENY_LOG', at, message)];
  }
  if (denyLog === null || logs.some(({ args }) => args[0] === denyLog)) return [];
  const message = `denials are written to ${first.args[0]}, and the service reads ${denyLog}: they are never collected`;
  return [finding('warning', 'EDW_WARN_NGINX_DENY_LOG', first, message)];
}

/** Denied requests never get into a location; those that are only observed do, and are logged there. */
export function observedLogFindings(
  { block, object, title }: Server,
  isObserved: (bind: string) => boolean,
): ServerFinding[] {
  if (object.state === 'value' && !isObserved(object.value)) return [];
  const locations = block.filter(({ name }) => name === 'location');
  return locations.flatMap((location) => {
    const own = [...everyDirective(location.block ?? [])].filter(({ name }) => name === 'access_log');
    const [first] = own;
    if (first === undefined || own.some(isDenyLog)) return [];
    const message = `an access_log in a location of ${title} cancels the one that names denials: what is only observed there is not told`;
    return [finding('warning', 'EDW_WARN_NGINX_ACCESS_LOG', first, message)];
  });
}

function isDenyLog({ args }: Directive): boolean {
  return args[1] === 'edgeward_deny';
}
