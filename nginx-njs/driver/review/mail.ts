/**
 * Servers of `mail { }`: NGINX asks whoever `auth_http` names, and no hook of ours stands there. So nothing is judged, and
 * that is said of each, unless somebody says that it is meant so.
 */
import { blocksNamed, type Configuration } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { listenersOf } from './listeners.ts';

export function mailFindings({ root }: Pick<Configuration, 'root'>, open: ReadonlySet<string>): ServerFinding[] {
  const inside = blocksNamed(root, 'mail').flatMap(({ block }) => block ?? []);
  return blocksNamed(inside, 'server').flatMap((server) => {
    const listeners = listenersOf(server);
    const names = (server.block ?? []).filter(({ name }) => name === 'server_name').flatMap(({ args }) => args);
    if ([...names, ...listeners.map(({ text }) => text)].some((name) => open.has(name))) return [];
    const where = listeners.map(({ text }) => text).join(', ');
    const locally = listeners.every(({ isLocal }) => isLocal) ? '; it listens on this machine only' : '';
    const message = `a mail server on ${where} is not protected: Edgeward judges nothing in mail { }${locally}`;
    return [finding('warning', 'EDW_WARN_NGINX_MAIL', server, message)];
  });
}
