/** The servers of a configuration, and what each says that matters to us. Judges nothing. */
import { blocksNamed, type Configuration, type Directive, named, type Place } from './configuration.ts';
import { type Hook, hookBelow, hookIn, onlyReturns } from './hook.ts';
import { type Listener, listenersOf } from './listeners.ts';
import { type Setting, settingIn } from './setting.ts';
import { type Streams, streamsOf } from './streams.ts';
import { type Targets, targetsOf, upstreamsOf } from './targets.ts';

export interface Server extends Place {
  /** How a person calls it: its first name, else its first listener. */
  title: string;
  /** Of `server_name`. */
  names: string[];
  listeners: Listener[];
  block: readonly Directive[];
  hook: Hook | null;
  /** In a location, where it judges that location alone. */
  hookInLocation: Directive | null;
  /** What `set $edgeward_server` says when the hook runs. */
  object: Setting;
  /** What `set $edgeward_port` says then. */
  port: Setting;
  targets: Targets;
  /** Where the sync service pushes to. */
  isPush: boolean;
  /** Every request is answered by a `return` of the server itself: nothing lies behind it. */
  onlyReturns: boolean;
}

export interface Servers extends Streams {
  /** What stands in `http` itself, servers left out. */
  http: readonly Directive[];
  /** Where it begins. */
  httpPlace: Place;
  servers: Server[];
}

export function serversOf({ root }: Pick<Configuration, 'root'>): Servers {
  const http = insideOf(root, 'http');
  const upstreams = upstreamsOf(http);
  return {
    http: http.filter(({ name }) => name !== 'server'),
    httpPlace: placeOf(blocksNamed(root, 'http')[0] ?? { file: '', line: 1 }),
    servers: blocksNamed(http, 'server').map((directive) => serverOf(directive, targetsOf(directive, upstreams))),
    ...streamsOf(root),
  };
}

function insideOf(root: readonly Directive[], name: string): Directive[] {
  return blocksNamed(root, name).flatMap(({ block }) => block ?? []);
}

function serverOf(directive: Directive, targets: Targets): Server {
  const block = directive.block ?? [];
  const listeners = listenersOf(directive);
  const names = named(block, 'server_name').flatMap(({ args }) => args);
  const hook = hookIn(block);
  const locations = blocksNamed(block, 'location');
  const first = names.find((name) => name !== '_' && name !== '');
  return {
    ...placeOf(directive),
    title: first ?? listeners[0]?.text ?? '',
    names,
    listeners,
    block,
    hook,
    hookInLocation: hookBelow(block),
    object: settingOf(block, hook, '$edgeward_server'),
    port: settingOf(block, hook, '$edgeward_port'),
    targets,
    isPush: isPush(block),
    // A named location may be reached by an error before the `return`.
    onlyReturns: onlyReturns(block) && !locations.some(({ args }) => args[0]?.startsWith('@')),
  };
}

/** The push server of http.conf or push-tls.conf, or where reload.conf says what is in force, and nothing beside that. */
function isPush(block: readonly Directive[]): boolean {
  const locations = blocksNamed(block, 'location');
  const isOurs = (location: Directive): boolean =>
    isPushLocation(location) || isTimer(location) || onlyReturns(location.block ?? []);
  return locations.some(isPushLocation) && locations.every(isOurs);
}

function isPushLocation({ name, args, block }: Directive): boolean {
  if (name === 'location' && args.at(-1) === '/edgeward/active') return onlyReturns(block ?? []);
  if (name !== 'location' || args.at(-1) !== '/edgeward/') return false;
  return (block ?? []).some((it) => it.name === 'js_content' && /\.push$/.test(it.args[0] ?? ''));
}

/** Nobody can ask for a named location that only a clock calls. */
function isTimer({ args, block }: Directive): boolean {
  return args[0]?.startsWith('@') === true && (block ?? []).every(({ name }) => name === 'js_periodic');
}

/** What is set behind the hook comes too late for it. */
function settingOf(block: readonly Directive[], hook: Hook | null, variable: string): Setting {
  const until = hook === null ? block.length : block.indexOf(hook.directive);
  return settingIn(block.slice(0, until), variable);
}

function placeOf({ file, line }: Place): Place {
  return { file, line };
}

/** Those of the server itself, else of `http`: NGINX inherits such directives only where the lower level has none. */
export function inherited({ block }: Pick<Server, 'block'>, http: readonly Directive[], name: string): Directive[] {
  const own = named(block, name);
  return own.length > 0 ? own : named(http, name);
}
