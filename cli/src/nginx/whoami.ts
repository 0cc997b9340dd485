/** `edgeward nginx whoami`: whose address each server would judge for a request, before any policy. Reads only. */
import { type AskedAddress, type AskedRequest, askedAddresses } from '@edgeward/nginx-njs';
import { parseAddress } from '@edgeward/policy';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { type Paint, printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { dumpOptions, readNginxDump } from './nginx-dump.ts';
import { configuredPoint, policyOf } from './nginx-point.ts';

export const whoami: Command = {
  name: 'nginx whoami',
  summary: 'Whose address each server would judge for a request, and why.',
  help: {
    examples: [
      {
        line: "edgeward nginx whoami --from 198.51.100.3 --header 'X-Forwarded-For: 203.0.113.7'",
        says: 'A balancer at 198.51.100.3 passes a request on.',
      },
      {
        line: 'edgeward nginx whoami --from 203.0.113.7 --header "X-Forwarded-For: 10.0.0.1" --point edge-1',
        says: "A client that lies, with the policy's trustedProxies too.",
      },
    ],
    usage: [
      "--from ADDRESS [--header 'NAME: VALUE']... [--proxied ADDRESS] [--nginx PROGRAM | --dump FILE] [--point NAME] [--config FILE] [--json]",
    ],
    about: [
      'Nothing is sent: the configuration that `nginx -T` prints is followed as NGINX follows it. Without --config and --point no policy is read, and none is needed.',
      'JSON: {servers: [{file, line, title, listeners, isProtected, remoteAddress, judged, because}]}; an address is null where it is none.',
    ],
  },
  args: [],
  options: {
    from: { type: 'string', value: 'ADDRESS', says: 'Who connects to NGINX; unix: for a unix socket.' },
    header: { type: 'string', value: 'HEADER', says: 'A header of the request, as it is sent.', multiple: true },
    proxied: { type: 'string', value: 'ADDRESS', says: 'The address in the PROXY protocol.' },
    ...dumpOptions,
    point: {
      type: 'string',
      value: 'NAME',
      says: 'The point, as edgeward.yaml names it; not needed where it names one.',
    },
    config: configOption,
  },
  run: runWhoami,
};

async function runWhoami(context: Context): Promise<ExitCode> {
  const request = requestOf(context);
  const own = await policyOf(context, await configuredPoint(context));
  if (own.state === 'refused') return 3;
  const servers = askedAddresses(await readNginxDump(context), request, own.state === 'known' ? own.policy : null);
  if (context.json) await context.printJson({ servers });
  else await context.out.write(servers.map((server) => serverText(server, context.paint)).join(''));
  return 0;
}

function requestOf(context: Context): AskedRequest {
  const from = context.required('from');
  const proxied = context.text('proxied') ?? null;
  for (const address of [from, proxied])
    if (address !== null && address !== 'unix:' && parseAddress(address) === null)
      throw usageError(`'${address}' is no address`, 'nginx whoami', 'Write one such as 203.0.113.7.');
  const headers = context.texts('header').map((line): [string, string] => {
    const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~A-Za-z0-9-]+):(.*)$/.exec(line) ?? [];
    if (name === '') throw usageError(`'${line}' is no header`, 'nginx whoami', "Write it as 'NAME: VALUE'.");
    return [name, value];
  });
  return { from, headers, proxied };
}

function serverText(
  { title, file, line, listeners, judged, isProtected, because }: AskedAddress,
  paint: Paint,
): string {
  const who = judged === null ? paint.bad('nobody: denied as unknown-source') : paint.strong(judged);
  const note = isProtected ? '' : paint.dim('  (not protected)');
  const head = `${printable(`${title} (${listeners.join(', ')}; ${file}:${line})`)}  judges ${who}${note}\n`;
  return `${head}${because.map((step) => `    ${printable(step)}\n`).join('')}`;
}
