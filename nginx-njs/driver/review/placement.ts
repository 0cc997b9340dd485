/** Whether every server is judged, wholly and before anything answers. */
import { type Directive, everyDirective } from './configuration.ts';
import { type FindingCode, finding, type ServerFinding } from './finding.ts';
import { failsOpen } from './hook.ts';
import { isClosedRefusedMap, isRefusedMap, staleFlagFindings } from './hybrid.ts';
import { luaFindings } from './lua.ts';
import { isClosedSnapshotMap, isSnapshotMap } from './reload.ts';
import type { Server, Servers } from './servers.ts';
import { zoneIn } from './setup.ts';
import type { StreamServer } from './streams.ts';
import { sharedTarget } from './targets.ts';

export function placementFindings(found: Servers, open: ReadonlySet<string>): ServerFinding[] {
  const { servers, streams, http } = found;
  const guarded = [...servers, ...streams].filter(({ hook }) => hook !== null);
  return [
    ...servers.flatMap((server) => (server.hook === null ? unguarded(server, guarded, open) : tooLate(server, http))),
    ...servers.flatMap(failingOpen),
    ...streams.flatMap((stream) => openStream(stream, { guarded, open, isAdopted: isAdopted(found) })),
    ...staleFlagFindings(http, servers),
    ...http.filter(isOpenMap).map((map) => finding('error', 'EDW_ERR_NGINX_FAILS_OPEN', map, OPEN_MAP)),
  ];
}

const OPEN_MAP =
  '$edgeward_denied is not 1 for everything but `pass`: a request passes where the verdict is missing or says deny';

/** `map … $edgeward_denied` of http.conf or reload.conf, or that of hybrid.conf, changed by somebody. */
function isOpenMap({ name, args, block }: { name: string; args: readonly string[]; block: unknown }): boolean {
  const isOurs = args[1] === '$edgeward_denied' || isRefusedMap({ name, args });
  if (name !== 'map' || !isOurs || !Array.isArray(block)) return false;
  const entries = block.map((it: { name: string; args: readonly string[] }) => [it.name, it.args[0] ?? ''] as const);
  if (isRefusedMap({ name, args })) return !isClosedRefusedMap({ args }, entries);
  if (isSnapshotMap({ name, args })) return !isClosedSnapshotMap(entries);
  const isClosed = (value: string): boolean => value !== '' && value !== '0';
  const denies = entries.some(([key, value]) => key === 'default' && isClosed(value));
  return (
    args[0] !== '$edgeward_verdict' || !denies || entries.some(([key, value]) => key !== 'pass' && !isClosed(value))
  );
}

function unguarded(server: Server, guarded: readonly Guarded[], open: ReadonlySet<string>): ServerFinding[] {
  if (server.isPush || server.onlyReturns || isNamed(server, open)) return [];
  if (server.hookInLocation !== null) {
    const message = `the hook of ${server.title} stands in a location: only that one is judged, and a \`return\` there comes before it`;
    return [finding('error', 'EDW_ERR_NGINX_IN_LOCATION', server.hookInLocation, message)];
  }
  const isLocal = server.listeners.every((listener) => listener.isLocal);
  const [other, address] = sharing(server, guarded);
  if (other !== null) {
    const message = `${server.title} is not protected and leads to ${address}, where ${other.title} leads too: who is denied there can come here`;
    return [finding(isLocal ? 'warning' : 'error', 'EDW_ERR_NGINX_WAY_AROUND', server, message + locally(isLocal))];
  }
  const message = `${server.title} is not protected: whatever reaches ${listenersText(server)} is answered without a verdict`;
  return [finding(isLocal ? 'warning' : 'error', 'EDW_ERR_NGINX_UNPROTECTED', server, message + locally(isLocal))];
}

function locally(isLocal: boolean): string {
  return isLocal ? '; it listens on this machine only' : '';
}

type Guarded = Pick<Server, 'title' | 'targets'>;

function sharing(one: Pick<Server, 'targets'>, guarded: readonly Guarded[]): [Guarded, string] | [null, null] {
  for (const other of guarded) {
    const address = sharedTarget(one.targets, other.targets);
    if (address !== null) return [other, address];
  }
  return [null, null];
}

/** Whoever includes stream.conf means connections to be judged; before that, only a way around is of interest. */
function isAdopted({ stream, streams }: Servers): boolean {
  return zoneIn(stream, 'edgeward_stream') !== null || streams.some(({ hook }) => hook !== null);
}

function openStream(
  stream: StreamServer,
  among: { guarded: readonly Guarded[]; open: ReadonlySet<string>; isAdopted: boolean },
): ServerFinding[] {
  const isMeant = stream.isPush || stream.onlyReturns || isNamed({ ...stream, names: [] }, among.open);
  if (stream.hook !== null || isMeant) return [];
  const [other, address] = sharing(stream, among.guarded);
  const isLocal = stream.listeners.every((listener) => listener.isLocal);
  const told = (code: FindingCode, words: string): ServerFinding[] => {
    const message = `a stream server on ${listenersText(stream)} is not protected${words}${locally(isLocal)}`;
    return [finding(isLocal ? 'warning' : 'error', code, stream, message)];
  };
  if (other !== null)
    return told('EDW_ERR_NGINX_STREAM_AROUND', ` and leads to ${address}, where ${other.title} leads too`);
  return among.isAdopted ? told('EDW_ERR_NGINX_STREAM_UNPROTECTED', ': whoever connects gets through') : [];
}

function isNamed({ names, listeners }: Pick<Server, 'names' | 'listeners'>, open: ReadonlySet<string>): boolean {
  return [...names, ...listeners.map(({ text }) => text)].some((name) => open.has(name));
}

function listenersText({ listeners }: Pick<Server, 'listeners'>): string {
  return listeners.map(({ text }) => text).join(', ');
}

function tooLate(server: Server, http: readonly Directive[]): ServerFinding[] {
  const { hook, title } = server;
  const before = (hook?.before ?? []).map((directive) => {
    const words = `\`${[directive.name, ...directive.args].join(' ').slice(0, 80)}\``;
    const message = `${words} stands before the hook of ${title}: what it answers or ends is never judged`;
    return finding('error', 'EDW_ERR_NGINX_TOO_LATE', directive, message);
  });
  return [...before, ...luaFindings(server, http)];
}

function failingOpen({ block, title }: Server): ServerFinding[] {
  const found = [...everyDirective(block)].filter(failsOpen);
  const message = `${title} refuses what is called denied, and passes the empty verdict of a hook that failed`;
  return found.map((directive) => finding('error', 'EDW_ERR_NGINX_FAILS_OPEN', directive, message));
}
