/** What `nginx -T` prints: NGINX is run for it, or a file or standard input holds it. Nothing that runs is touched. */
import { runProgram } from '@edgeward/debian-packages';
import { EdgewardError, messageOf, readPlainFile } from '@edgeward/runtime';
import type { Context, Option } from '../frame/command.ts';
import { withProgress } from '../frame/progress.ts';
import { usageError } from '../frame/usage-error.ts';

export const dumpOptions: Record<'nginx' | 'dump', Option> = {
  nginx: { type: 'string', value: 'PROGRAM', says: 'The NGINX to run with -T; nginx without it.' },
  dump: {
    type: 'string',
    value: 'FILE',
    says: 'What `nginx -T` printed, instead of running it; - is standard input.',
  },
};

const runTimeoutMs = 60_000;
const maxDumpBytes = 256 << 20;

/** Throws EDW_ERR_NGINX_DUMP where there is no dump, EDW_ERR_NGINX_CONFIG where NGINX refuses its configuration. */
export async function readNginxDump(context: Context): Promise<string> {
  const file = context.text('dump');
  const program = context.text('nginx');
  if (file !== undefined && program !== undefined)
    throw usageError('--dump and --nginx exclude each other', null, 'Give one of them.');
  const dump = file === undefined ? await runNginx(context, program ?? 'nginx') : await dumpIn(context, file);
  if (/^# configuration file \S.*:$/m.test(dump)) return dump;
  throw new EdgewardError('EDW_ERR_NGINX_DUMP', `reading ${file ?? program}: there is no \`# configuration file …:\``, {
    mend: 'Give what `nginx -T` prints, whole: nginx -T > FILE.',
  });
}

async function dumpIn(context: Context, file: string): Promise<string> {
  try {
    return file === '-' ? await standardInput(context) : (await readPlainFile(file, maxDumpBytes)).toString('utf8');
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_NGINX_DUMP', `reading ${file}: ${messageOf(cause)}`, {
      mend: 'Name a file that holds what `nginx -T` printed, or - for standard input.',
      cause,
    });
  }
}

async function standardInput({ stdin }: Context): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stdin) {
    const buffer = Buffer.from(piece);
    bytes += buffer.length;
    if (bytes > maxDumpBytes) throw new Error(`it has more than ${maxDumpBytes} bytes`);
    pieces.push(buffer);
  }
  return Buffer.concat(pieces).toString('utf8');
}

async function runNginx({ err }: Context, program: string): Promise<string> {
  const says = (): string => `running ${program} -T`;
  const run = await withProgress(err, says, () => runProgram(program, ['-T', '-q'], { timeoutMs: runTimeoutMs }));
  if (run.code === 0) return run.stdout;
  if (run.code === null)
    throw new EdgewardError('EDW_ERR_NGINX_DUMP', `running ${program} -T: ${run.failure ?? 'it was ended'}`, {
      mend: 'Name the program with --nginx; or run `nginx -T > FILE` where NGINX is, and give --dump FILE.',
    });
  const said = run.stderr.split('\n').filter((line) => line.includes('[emerg]'));
  const reason = said[0]?.replace(/^.*?(?=\[emerg\])/, '') ?? run.stderr.trim() ?? '';
  throw new EdgewardError('EDW_ERR_NGINX_CONFIG', `running ${program} -T: ${reason}`, { mend: mendOf(reason) });
}

function mendOf(reason: string): string {
  // Each of the two modules knows the word, and takes it in its own block alone.
  if (/unknown directive "js_|"js_import" directive is not allowed here/.test(reason))
    return 'Write `load_module modules/ngx_http_js_module.so;` at the top of nginx.conf, and for a line in stream { } `load_module modules/ngx_stream_js_module.so;`: the njs module is not loaded.';
  if (/unknown "edgeward_\w+" variable/.test(reason)) return 'Include http.conf in http { }, before the servers.';
  if (/Permission denied/.test(reason)) return 'Run it as the user that starts NGINX, or give --dump FILE.';
  return 'Correct the named line; the NGINX that is running keeps what it has.';
}
