/**
 * How an NGINX runs in a container so that to its owner it is like any other: on this machine's own network (a published
 * port would show NGINX the address of a gateway in place of the client's), as this user, with its folder under the same
 * name, and never longer than its owner. Builds words, and starts nothing.
 */
import { dirname, relative, resolve } from 'node:path';

export interface Place {
  readonly prefix: string;
  /** Relative to `prefix`, or absolute. */
  readonly configFile: string;
  /** The name of the container. */
  readonly container?: string;
}

/** Every container of ours carries it; its value is the prefix. */
export const prefixLabel = 'edgeward.prefix';

/**
 * Beside NGINX a shell reads stdin, whose other end the owner holds by way of Docker's client: however either of them
 * ends, the pipe closes, and NGINX with it. Process 1 takes no signal before it has a handler for it, so it is repeated.
 */
const guarded = 'exec 3<&0; (cat <&3 >/dev/null; while kill -s TERM 1; do sleep 1; done) & exec "$@" 3<&- </dev/null';

export function containerWords(image: string, words: readonly string[], place?: Place): string[] {
  return [
    ...['docker', 'run', '--rm', '--interactive', '--network', 'host', '--log-driver', 'none'],
    // Only what was built here: the name belongs to nobody at a registry.
    ...['--pull', 'never'],
    // Else SELinux closes the folder, and relabelling it would change what is the user's.
    ...['--security-opt', 'label=disable'],
    ...asThisUser(),
    ...(place === undefined ? [] : placeWords(place)),
    ...[image, 'sh', '-c', guarded, 'sh', ...words],
  ];
}

function asThisUser(): string[] {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return uid === undefined || gid === undefined ? [] : ['--user', `${uid}:${gid}`];
}

function placeWords({ prefix, configFile, container }: Place): string[] {
  const folders = [resolve(prefix), dirname(resolve(prefix, configFile))];
  const distinct = folders.filter((folder, index) => index === 0 || !isInside(folder, folders[0] ?? '/'));
  return [
    ...(container === undefined ? [] : ['--name', container]),
    ...['--label', `${prefixLabel}=${resolve(prefix)}`],
    ...distinct.flatMap((folder) => ['--mount', mountOf(folder)]),
  ];
}

function isInside(folder: string, other: string): boolean {
  const path = relative(other, folder);
  return path !== '..' && !path.startsWith('../');
}

/** A line of CSV, so a comma or a quote in a path needs quoting. Unlike `--volume` it never makes a folder. */
function mountOf(folder: string): string {
  const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;
  return ['type=bind', quoted(`source=${folder}`), quoted(`target=${folder}`)].join(',');
}
