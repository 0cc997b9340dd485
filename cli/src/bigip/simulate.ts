/** `edgeward bigip simulate`: a BIG-IP, or a pair, to try things on, until a signal ends it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Simulator, SimulatorOptions, TmosVersion } from '@edgeward/bigip-simulator';
import { findTclsh, type TclshCommand } from '@edgeward/debian-packages';
import {
  createLifecycle,
  createLogger,
  EdgewardError,
  type Lifecycle,
  messageOf,
  readSecret,
  writeDurably,
} from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { fidelityText, readFidelity } from './fidelity-ledger.ts';
import { type SimulatorEvent, watchSimulator } from './simulator-watch.ts';

export const simulate: Command = {
  name: 'bigip simulate',
  summary: 'Run a simulated BIG-IP to try things on.',
  help: {
    examples: [
      { line: 'edgeward bigip simulate --load bigip.conf', says: 'Your own configuration, iRules included.' },
      {
        line: 'edgeward bigip simulate --pair --ca-out ca.pem --password-file password',
        says: 'An active and a standby unit, for a point in edgeward.yaml.',
      },
      { line: 'edgeward bigip simulate --fidelity', says: 'What it is faithful to, and by which evidence.' },
    ],
    usage: [
      '[--listen HOST:PORT] [--tmos VERSION] [--pair] [--load FILE] [--preface] [--no-data-plane] [--ca-out FILE] [--password-file FILE] [--json]',
      '--fidelity [--json]',
    ],
    about: [
      'iControl REST over TLS on loopback, virtual servers that take real connections, iRules run by tclsh 8.6. It tells where virtual servers listen, as that changes, and prints /var/log/ltm. Nothing is kept when it ends, and nothing about its speed says anything about a BIG-IP.',
      'Without --password-file a password is made and printed once. With --preface clients may begin with a PROXY line, which gives them any address.',
      'JSON: one document a line: {event: "started", version, units: [{name, url}], user, password, caFile}, {event: "listening", unit, virtual, address or null}, {event: "log", unit, line}. With --fidelity: [{area, behaviour, evidence, source, test}].',
    ],
    exits: { 0: 'ended by a signal', 69: 'there is no tclsh', 78: 'FILE is no configuration that it can load' },
  },
  args: [],
  options: {
    listen: { type: 'string', value: 'HOST:PORT', says: 'For REST of the first unit, on loopback: 127.0.0.1:8443.' },
    tmos: { type: 'string', value: 'VERSION', says: '17.1.2 (default) or 13.1.3.' },
    pair: { type: 'boolean', says: 'Two units, active and standby.' },
    load: { type: 'string', value: 'FILE', says: 'Configuration as in bigip.conf, merged at the start.' },
    preface: { type: 'boolean', says: 'Clients may name their address in a PROXY protocol line.' },
    'no-data-plane': { type: 'boolean', says: 'REST only; then no tclsh is needed.' },
    'ca-out': { type: 'string', value: 'FILE', says: 'Where the certificate of its authority goes.' },
    'password-file': { type: 'string', value: 'FILE', says: 'Password of the user admin.' },
    fidelity: { type: 'boolean', says: 'Print the ledger of simulated behaviours and end.' },
  },
  run: (context) => (context.flag('fidelity') ? printFidelity(context) : runSimulator(context)),
};

async function printFidelity(context: Context): Promise<ExitCode> {
  const ledger = await readFidelity();
  if (context.json) await context.printJson(ledger);
  else await context.out.write(fidelityText(ledger, context.paint));
  return 0;
}

async function runSimulator(context: Context): Promise<ExitCode> {
  const options = await optionsOf(context);
  const password = await passwordOf(context);
  const lifecycle = createLifecycle(createLogger({ level: 'silent' }));
  try {
    // A whole BIG-IP, and what makes its certificates: no other command should wait for it.
    const { startSimulator } = await import('@edgeward/bigip-simulator');
    const simulator = await startSimulator({ ...options, users: [{ name: 'admin', password, role: 'admin' }] });
    lifecycle.onClose('simulator', () => simulator.close());
    const caFile = await writeAuthority(context, simulator, lifecycle);
    const version = options.version ?? '17.1.2';
    await tellStart(context, simulator, { version, password, caFile });
    const watch = watchSimulator(simulator, options.dataPlane !== false, (event) => tell(context, event));
    lifecycle.onClose('watch', () => watch.close());
    context.out.gone.addEventListener('abort', () => void lifecycle.shutdown('nobody reads'));
    await lifecycle.ended;
    return 0;
  } catch (thrown) {
    await lifecycle.shutdown('start failed');
    throw thrown;
  } finally {
    lifecycle.release();
  }
}

async function optionsOf(context: Context): Promise<SimulatorOptions> {
  const file = context.text('load');
  const dataPlane = !context.flag('no-data-plane');
  return {
    ...(dataPlane && { tclsh: await tclshFor(context) }),
    dataPlane,
    listen: listenOf(context.text('listen') ?? '127.0.0.1:8443'),
    version: versionOf(context.text('tmos') ?? '17.1.2'),
    units: context.flag('pair') ? 2 : 1,
    preface: context.flag('preface'),
    logger: createLogger({ level: 'warn' }),
    ...(file !== undefined && { config: await readConfiguration(file) }),
  };
}

/** Its certificates are for loopback, and so is it: a password on a command line's screen is no protection. */
function listenOf(text: string): { host: string; port: number } {
  const match = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    throw usageError(`--listen: '${text}' is no address of loopback`, 'bigip simulate', 'Write 127.0.0.1:8443.');
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

const versions: readonly TmosVersion[] = ['17.1.2', '13.1.3'];

function versionOf(text: string): TmosVersion {
  const version = versions.find((one) => one === text);
  if (version !== undefined) return version;
  throw usageError(`--tmos: there is no '${text}' here`, 'bigip simulate', `It knows ${versions.join(' and ')}.`);
}

async function readConfiguration(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_SIMULATOR_CONFIG', `reading ${file}: ${messageOf(cause)}`, {
      mend: 'Name a file with tmsh text, such as /config/bigip.conf of a BIG-IP.',
      cause,
    });
  }
}

async function passwordOf(context: Context): Promise<string> {
  const file = context.text('password-file');
  return file === undefined ? randomBytes(12).toString('base64url') : await readSecret(file);
}

async function tclshFor(context: Context): Promise<TclshCommand> {
  const progress = (message: string): void => void context.err.write(`${message}\n`);
  return await findTclsh({ progress }).catch((thrown: unknown) => {
    if (!(thrown instanceof EdgewardError) || thrown.code !== 'EDW_ERR_TCLSH_NOT_FOUND') throw thrown;
    const mend = `${thrown.mend} Or use --no-data-plane: iControl REST needs none.`;
    throw new EdgewardError(thrown.code, thrown.message, { mend, cause: thrown });
  });
}

/** Where nobody asked for a file, in one that goes when the simulator does. */
async function writeAuthority(context: Context, { ca }: Simulator, lifecycle: Lifecycle): Promise<string> {
  const asked = context.text('ca-out');
  let file = asked;
  if (file === undefined) {
    const folder = await mkdtemp(join(tmpdir(), 'edgeward-simulator-'));
    lifecycle.onClose('authority', () => rm(folder, { recursive: true, force: true }));
    file = join(folder, 'ca.pem');
  }
  await writeDurably(file, ca, { mode: 0o644 }).catch((cause: unknown) => {
    throw new EdgewardError('EDW_ERR_OUT_FILE', messageOf(cause), {
      mend: 'Name a file in a folder that exists and that you may write in.',
      cause,
    });
  });
  return file;
}

interface Start {
  version: string;
  password: string;
  caFile: string;
}

async function tellStart(context: Context, simulator: Simulator, { version, password, caFile }: Start): Promise<void> {
  const isGiven = context.text('password-file') !== undefined;
  const units = simulator.units.map(({ name, url }) => ({ name, url }));
  if (context.json) {
    const started = { event: 'started', version, units, user: 'admin', password: isGiven ? null : password, caFile };
    return await context.printJson(started);
  }
  const lines = [
    `BIG-IP ${version}, simulated; Ctrl-C ends it`,
    ...units.map(({ name, url }, index) => `  ${url}  ${name}${units.length > 1 && index === 0 ? ', active' : ''}`),
    `  user admin, password ${isGiven ? 'as in the file' : password}`,
    `  authority ${printable(caFile)}`,
  ];
  await context.out.write(`${lines.join('\n')}\n`);
}

async function tell(context: Context, event: SimulatorEvent): Promise<void> {
  if (context.json) return await context.printJson(event);
  const { paint } = context;
  const at = `${paint.dim(event.unit)}  `;
  if (event.event === 'log') return await context.out.write(`${at}${printable(event.line)}\n`);
  const where = event.address === null ? 'no longer listens' : `listens at ${paint.strong(event.address)}`;
  await context.out.write(`${at}${printable(event.virtual)} ${where}\n`);
}
