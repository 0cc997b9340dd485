/** `edgeward nginx snippets`: the files that an existing NGINX includes, with the paths of this installation. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type PushTlsSnippet, writeSnippets } from '@edgeward/nginx-njs';
import { EdgewardError, ensureSecret, messageOf, stateWriteError } from '@edgeward/runtime';
import { loadServiceConfig, type PointConfig } from '@edgeward/sync-service';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import { usageError } from '../frame/usage-error.ts';
import { pointNamed } from './nginx-point.ts';
import { reloadSteps, writtenForReload } from './reload-steps.ts';
import { streamListenOf, streamSteps } from './stream-steps.ts';

export const snippets: Command = {
  name: 'nginx snippets',
  summary: 'Write the files that your NGINX includes.',
  help: {
    examples: [
      {
        line: 'edgeward nginx snippets --point edge-1 --out /etc/edgeward/nginx --user www-data',
        says: 'http.conf, protect.conf, edgeward.js; the push token and the deny log made ready for the workers.',
      },
    ],
    usage: [
      '--point NAME --out DIR [--user USER] [--zone-size 64m] [--config FILE]',
      '--point NAME --out DIR --push-tls DIR --push-client SUBJECT... [--user USER] [--zone-size 64m] [--config FILE]',
    ],
    about: [
      'Where `push` of the point is https, the service is elsewhere: push-tls.conf is written too, in place of the push server on loopback. It names the certificates in the folder of --push-tls and whoever may push.',
      'Where `streamPush` of the point is set, stream.conf and protect-stream.conf are written too: include them in stream { } and its servers.',
      'Where `mode` of the point is reload, reload.conf and protect-reload.conf are written in place of these, without njs and token; JSON is then {out, snapshotFolder, denyLog}.',
      'Writes only into DIR and, where they are missing, the token file and the deny log of the point. Include http.conf once in http { }, protect.conf in each server, then reload NGINX.',
    ],
  },
  args: [],
  options: {
    point: { type: 'string', value: 'NAME', says: 'The point, as edgeward.yaml names it.' },
    out: { type: 'string', value: 'DIR', says: 'Folder for the three files.' },
    user: {
      type: 'string',
      value: 'USER',
      says: "The user of NGINX's workers, who must read the token and append to the deny log.",
    },
    'push-tls': {
      type: 'string',
      value: 'DIR',
      says: 'Folder with certificate.pem, key.pem and client-ca.pem, for pushes over mutual TLS.',
    },
    'push-client': {
      type: 'string',
      value: 'SUBJECT',
      says: 'Subject of a certificate that may push, such as CN=edgeward.',
      multiple: true,
    },
    'zone-size': { type: 'string', value: 'SIZE', says: 'Shared memory for the policy; 64m without it.' },
    config: configOption,
  },
  async run(context) {
    const config = await loadServiceConfig({ file: context.text('config'), env: context.env });
    const point = pointNamed(config.points, context.required('point'));
    const out = resolve(context.required('out'));
    const zoneSize = context.text('zone-size') ?? '64m';
    if (!/^[1-9][0-9]{0,5}[km]$/.test(zoneSize)) {
      throw usageError(`--zone-size: '${zoneSize}' is no size`, 'nginx snippets', 'Write a size such as 64m.');
    }
    const reload = await writtenForReload({ point, out, listen: addressOf(point) });
    if (reload !== null) {
      await prepareLog(point, context.text('user'));
      if (context.json) await context.printJson({ out, snapshotFolder: reload.snapshotFolder, denyLog: point.denyLog });
      else await context.out.write(reloadSteps(reload));
      return 0;
    }
    await writeSnippets({
      out,
      listen: addressOf(point),
      streamListen: streamListenOf(point),
      pushTls: pushTlsOf(context, point),
      tokenFile: point.tokenFile,
      denyLog: point.denyLog,
      lastKnownFile: point.lastKnownFile,
      zoneSize,
      hybrid: point.native?.snapshot.folder ?? null,
    });
    await prepareFiles(point, context.text('user'));
    if (context.json) await context.printJson({ out, tokenFile: point.tokenFile, denyLog: point.denyLog });
    else await context.out.write(hybridSteps(point) + nextSteps(out) + streamSteps(point, out));
    return 0;
  },
};

/** Without its port an address is of the protocol's own. */
function addressOf({ push }: PointConfig): string {
  const { hostname, port, protocol } = new URL(push);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}

function pushTlsOf(context: Context, { name, tls }: PointConfig): PushTlsSnippet | null {
  const folder = context.text('push-tls');
  const clients = context.texts('push-client');
  if (folder !== undefined && tls !== null) return { folder: resolve(folder), clients };
  if (folder === undefined && clients.length === 0 && tls === null) return null;
  const problem =
    tls === null ? `\`push\` of ${name} is http` : `\`push\` of ${name} is https, and --push-tls is missing`;
  throw usageError(
    problem,
    'nginx snippets',
    'Give --push-tls and --push-client where `push` is https, and only there.',
  );
}

async function prepareLog(point: PointConfig, user: string | undefined): Promise<void> {
  const owner = user === undefined ? null : await idsOf(user);
  await ownRegularFile(point.denyLog, constants.O_APPEND | constants.O_WRONLY | constants.O_CREAT, owner);
}

async function prepareFiles(point: PointConfig, user: string | undefined): Promise<void> {
  const owner = user === undefined ? null : await idsOf(user);
  await mkdir(dirname(point.tokenFile), { recursive: true });
  await ensureSecret(point.tokenFile, { mode: 0o640 });
  // The worker reads the token as a member of the group, and owns the log that it appends to.
  await ownRegularFile(point.denyLog, constants.O_APPEND | constants.O_WRONLY | constants.O_CREAT, owner);
  const group = owner === null ? null : { uid: process.getuid?.() ?? 0, gid: owner.gid };
  await ownRegularFile(point.tokenFile, constants.O_RDONLY, group);
}

/**
 * Through the open file and no link: root runs this in a folder of the service's user, who must not have /etc/shadow
 * handed over by a link of that name.
 */
async function ownRegularFile(path: string, flags: number, owner: { uid: number; gid: number } | null): Promise<void> {
  const file = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o640).catch((cause: unknown) => {
    throw stateWriteError(path, cause);
  });
  try {
    const found = await file.stat();
    if (!found.isFile() || found.nlink > 1)
      throw stateWriteError(path, new Error('it is no regular file with one name'));
    if (owner !== null) await file.chown(owner.uid, owner.gid);
  } finally {
    await file.close();
  }
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string): Promise<number> =>
    Number((await promisify(execFile)('id', [flag, '--', user])).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_UNKNOWN_USER', `looking up the user '${user}': ${messageOf(cause)}`, {
      mend: "Name the user of NGINX's workers: the `user` line of nginx.conf, www-data on Debian.",
      cause,
    });
  }
}

/** A point in reload mode has left before. */
function hybridSteps({ native }: PointConfig): string {
  if (native === null) return '';
  return `Start \`edgeward serve\` first: it makes ${native.snapshot.folder}/current, which http.conf includes.\n\n`;
}

function nextSteps(out: string): string {
  return `Written to ${out}. In nginx.conf, at the top:

  load_module modules/ngx_http_js_module.so;

and once in http { }:

  include ${out}/http.conf;

Reload NGINX, start \`edgeward serve\`, and wait until \`edgeward status\` says current. Then, in each server that is to be
protected, before any return or rewrite of its own:

  set $edgeward_server order-front;      # the VirtualServer's bind
  include ${out}/protect.conf;

and reload once more. Until a policy is in force, a protected server denies everything.
`;
}
