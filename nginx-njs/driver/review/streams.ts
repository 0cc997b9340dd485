/** The servers of `stream { }`, and what each says that matters to us. Judges nothing. */
import { blocksNamed, type Directive, named, type Place } from './configuration.ts';
import { type Listener, listenersOf } from './listeners.ts';
import { type Setting, settingIn } from './setting.ts';
import { type Targets, targetsOf, upstreamsOf } from './targets.ts';

export interface StreamServer extends Place {
  /** How a person calls it: `stream 5432`, by its first listener. */
  title: string;
  listeners: Listener[];
  block: readonly Directive[];
  targets: Targets;
  /** The `js_access` of ours that is in force, its own or inherited; or a `proxy_pass` to where the snapshot says. */
  hook: Directive | null;
  object: Setting;
  port: Setting;
  /** Where the sync service pushes to. */
  isPush: boolean;
  /** It answers by itself: nothing lies behind it. */
  onlyReturns: boolean;
}

export interface Streams {
  /** What stands in `stream` itself, servers left out. */
  stream: readonly Directive[];
  /** Where it begins. */
  streamPlace: Place;
  streams: StreamServer[];
}

export function streamsOf(root: readonly Directive[]): Streams {
  const blocks = blocksNamed(root, 'stream');
  const inside = blocks.flatMap(({ block }) => block ?? []);
  const upstreams = upstreamsOf(inside);
  const stream = inside.filter(({ name }) => name !== 'server');
  const { file, line } = blocks[0] ?? { file: '', line: 1 };
  const servers = blocksNamed(inside, 'server');
  return {
    stream,
    streamPlace: { file, line },
    streams: servers.map((directive) => streamOf(directive, stream, targetsOf(directive, upstreams))),
  };
}

function streamOf(directive: Directive, stream: readonly Directive[], targets: Targets): StreamServer {
  const block = directive.block ?? [];
  const listeners = listenersOf(directive);
  const passes = block.some(({ name }) => name === 'proxy_pass');
  return {
    ...{ file: directive.file, line: directive.line, title: `stream ${listeners[0]?.text ?? ''}` },
    ...{ listeners, block, targets },
    hook: hookOf(block, stream),
    object: settingIn(block, '$edgeward_server'),
    port: settingIn(block, '$edgeward_port'),
    isPush: block.some(isPushAnswer),
    onlyReturns: !passes && block.some(({ name }) => name === 'return'),
  };
}

/** A `js_access` of the server takes an inherited one out of force, also where it is somebody else's. */
function hookOf(block: readonly Directive[], stream: readonly Directive[]): Directive | null {
  const own = named(block, 'js_access');
  const access = own.length > 0 ? own : named(stream, 'js_access');
  const judged = access.find(({ args }) => args[0] === 'edgeward.streamVerdict');
  return judged ?? block.find(isSnapshotTarget) ?? null;
}

/** Of stream.conf, or where reload-stream.conf says what is in force. */
function isPushAnswer({ name, args: [first = ''] }: Directive): boolean {
  return (
    (name === 'js_preread' && first.endsWith('.streamPush')) ||
    (name === 'return' && /^\$edgeward_active\n?$/.test(first))
  );
}

/** Of protect-reload-stream.conf. */
function isSnapshotTarget({ name, args }: Pick<Directive, 'name' | 'args'>): boolean {
  return name === 'proxy_pass' && args[0] === '$edgeward_to';
}
