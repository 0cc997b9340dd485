/** Servers against the objects of a policy: that each means the other. */
import { type CompiledPolicy, formatPortRange } from '@edgeward/policy';
import type { Place } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import type { Server, Servers } from './servers.ts';
import type { StreamServer } from './streams.ts';

/** What a policy says of this point that a configuration can be held against. */
export type ExpectedObject = Pick<CompiledPolicy['objects'][number], 'name' | 'bind' | 'ports' | 'protocol' | 'mode'>;

/** null: the policy is not known, and only what servers say of themselves is judged. */
export function objectFindings(
  { servers, streams, httpPlace, streamPlace }: Servers,
  objects: readonly ExpectedObject[] | null,
): ServerFinding[] {
  const hooked = ({ hook }: { hook: unknown }): boolean => hook !== null;
  const guarded: Named[] = [...servers.filter(hooked).map(requests), ...streams.filter(hooked).map(connections)];
  const at = httpPlace.file === '' ? streamPlace : httpPlace;
  return [
    ...guarded.flatMap(naming),
    ...twice(guarded),
    ...(objects === null ? [] : [...unknownObjects(guarded, objects), ...unused(guarded, objects, at)]),
    ...(objects === null ? [] : guarded.flatMap((server) => unlistedPorts(server, objects))),
    ...(objects === null ? [] : guarded.flatMap((server) => httpInStream(server, objects))),
  ];
}

/** What a protected server of either module says of itself. */
type Named = Pick<Server, 'title' | 'file' | 'line' | 'listeners' | 'object' | 'port'> & {
  judges: 'requests' | 'connections';
  /** Where the hook stands. */
  at: Place;
};

function requests(server: Server): Named {
  return { ...server, judges: 'requests', at: server.hook?.directive ?? server };
}

function connections(server: StreamServer): Named {
  return { ...server, judges: 'connections', at: server.hook ?? server };
}

/** The zone of the stream module holds the objects of `protocol: tcp` alone. */
function httpInStream({ object, title, judges }: Named, objects: readonly ExpectedObject[]): ServerFinding[] {
  if (judges === 'requests' || object.state !== 'value') return [];
  const meant = objects.find(({ bind }) => bind === object.value);
  if (meant === undefined || meant.protocol === 'tcp') return [];
  const message = `${title} is the object ${meant.name}, of \`protocol: http\`: connections to it are denied, unknown-object`;
  return [finding('error', 'EDW_ERR_NGINX_STREAM_OBJECT_HTTP', object.place, message)];
}

function naming({ object, at, title }: Named): ServerFinding[] {
  if (object.state === 'value') return [];
  if (object.state === 'none') {
    const message = `${title} says not which object it is when the hook runs: everything is denied, unknown-object`;
    return [finding('warning', 'EDW_WARN_NGINX_NAMELESS', at, message)];
  }
  const message = `can't tell which object ${title} is: \`${object.text}\` depends on the request`;
  return [finding('unknown', 'EDW_WARN_NGINX_OBJECT_VARIABLE', object.place, message)];
}

function twice(guarded: readonly Named[]): ServerFinding[] {
  const first = new Map<string, Named>();
  return guarded.flatMap((server) => {
    const { object } = server;
    if (object.state !== 'value') return [];
    const earlier = first.get(object.value);
    first.set(object.value, earlier ?? server);
    if (earlier === undefined) return [];
    const message = `${server.title} and ${earlier.title} (${earlier.file}:${earlier.line}) are both the object ${object.value}: one rule is for both, and no event says which it was`;
    return [finding('warning', 'EDW_WARN_NGINX_OBJECT_TWICE', object.place, message)];
  });
}

function unknownObjects(guarded: readonly Named[], objects: readonly ExpectedObject[]): ServerFinding[] {
  const binds = new Set(objects.map(({ bind }) => bind));
  return guarded.flatMap(({ object, title }) => {
    if (object.state !== 'value' || binds.has(object.value)) return [];
    const message = `${title} is the object ${object.value}, which the policy of this point does not have: everything is denied there`;
    return [finding('error', 'EDW_ERR_NGINX_OBJECT_UNKNOWN', object.place, message)];
  });
}

function unused(guarded: readonly Named[], objects: readonly ExpectedObject[], at: Place): ServerFinding[] {
  // A name that depends on the request could be any of them.
  if (guarded.some(({ object }) => object.state === 'variable')) return [];
  const named = new Set(guarded.flatMap(({ object }) => (object.state === 'value' ? [object.value] : [])));
  return objects
    .filter(({ bind, mode }) => !named.has(bind) && mode !== 'off')
    .map(({ name, bind }) => {
      const called = name === bind ? name : `${name} (bind ${bind})`;
      const message = `no server is the object ${called}: nothing of the policy for it is enforced here`;
      return finding('error', 'EDW_ERR_NGINX_OBJECT_UNUSED', at, message);
    });
}

function unlistedPorts({ object, port, listeners, title }: Named, objects: readonly ExpectedObject[]): ServerFinding[] {
  if (object.state !== 'value' || port.state === 'variable') return [];
  const meant = objects.find(({ bind }) => bind === object.value);
  if (meant === undefined) return [];
  const ports =
    port.state === 'value'
      ? protocolsOf(listeners).map((protocol) => ({
          ...{ protocol, number: Number(port.value) },
          ...{ at: port.place, words: '$edgeward_port' },
        }))
      : listeners.flatMap((it) => {
          const protocol = it.udp ? ('udp' as const) : ('tcp' as const);
          return it.port === null ? [] : [{ protocol, number: it.port, at: it, words: 'a listener' }];
        });
  return ports
    .filter(
      ({ protocol, number }) =>
        !meant.ports.some((it) => it.protocol === protocol && it.from <= number && number <= it.to),
    )
    .map(({ protocol, number, at, words }) => {
      const listed = meant.ports.map(formatPortRange).join(', ');
      const message = `${words} of ${title} is ${protocol}/${number}, and ${meant.name} lists ${listed}: everything is denied there, port-not-allowed`;
      return finding('warning', 'EDW_WARN_NGINX_PORT_NOT_LISTED', at, message);
    });
}

function protocolsOf(listeners: Named['listeners']): ('tcp' | 'udp')[] {
  return [...new Set(listeners.map(({ udp }) => (udp ? 'udp' : 'tcp')))];
}
