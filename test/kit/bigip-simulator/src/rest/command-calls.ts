/** Calls that are commands: save and load, config-sync, failover, removing uploaded files. */
import type { SimulatedUser } from '../simulator.ts';
import { type Answer, type Json, json, refuseBox } from './answer.ts';
import { bodyOf, type Call, isJson } from './call.ts';
import type { RestUnit } from './rest-unit.ts';
import { mayCommand } from './roles.ts';
import { busyAnswer } from './tasks.ts';
import { downloads, isFileName } from './uploads.ts';

/** The answer to a POST of one of these, or null for another path. */
export async function answerCommand(call: Call, user: SimulatedUser, unit: RestUnit): Promise<Answer | null> {
  const path = call.segments.join('/');
  if (path.startsWith('tm/task/sys/config')) {
    if (path === 'tm/task/sys/config' && call.method === 'POST') mayCommand(user, commandOf(bodyOf(call)));
    return unit.tasks.answer(call, (body) => runConfig(body, user, unit));
  }
  if (call.method !== 'POST') return null;
  if (unit.tasks.busy() && ['tm/sys/config', 'tm/cm'].includes(path)) return busyAnswer;
  if (path === 'tm/sys/config') return configCommand(call, user, unit);
  if (path === 'tm/cm') return clusterCommand(call, user, unit);
  if (path === 'tm/sys/failover') return failoverCommand(call, user, unit);
  if (path === 'tm/util/unix-rm') return removeFiles(call, user, unit);
  return null;
}

function configCommand(call: Call, user: SimulatedUser, unit: RestUnit): Answer {
  const body = bodyOf(call);
  runConfig(body, user, unit);
  return json({ kind: `tm:sys:config:${String(body.command)}state`, ...body });
}

function runConfig(body: Json, user: SimulatedUser, unit: RestUnit): void {
  const command = commandOf(body);
  mayCommand(user, command);
  if (command === 'load') load(body, unit);
  else {
    unit.config.save(partitionsOf(body, unit));
    unit.seat.saved();
  }
}

/** `options: [{ partitions: '{ Common Edgeward }' }]`, as tmsh takes it; without it, or with `all`, everything. */
function partitionsOf(body: Json, unit: RestUnit): Set<string> | undefined {
  const { partitions } = optionsOf(body);
  if (partitions === undefined) return undefined;
  const names = String(partitions)
    .split(/[{}\s]+/)
    .filter((name) => name !== '');
  if (names.includes('all')) return undefined;
  for (const name of names)
    if (unit.config.get('auth partition', name) === null)
      refuseBox(400, `01020036:3: The requested folder (/${name}) was not found.`);
  return new Set(names);
}

function optionsOf(body: Json): Json {
  return Object.assign({}, ...(Array.isArray(body.options) ? body.options.filter(isJson) : []));
}

function commandOf(body: Json): 'save' | 'load' {
  if (body.command === 'save' || body.command === 'load') return body.command;
  return refuseBox(400, `Found invalid command "${String(body.command)}" on component /sys/config.`, 1);
}

/** `options: [{ file: '/var/config/rest/downloads/f' }, { merge: true }, { verify: true }]` */
function load(body: Json, unit: RestUnit): void {
  const options = optionsOf(body);
  if (options.file === undefined) {
    unit.config.revert();
    return;
  }
  const name = String(options.file).replace(`${downloads}/`, '');
  const file = unit.config.uploads.get(name);
  if (file === undefined) refuseBox(400, `01071ac1:3: The requested file (${String(options.file)}) was not found.`);
  if (!isOn(options.merge)) refuseBox(501, 'The simulator loads a file only with merge.', 1);
  unit.config.merge(file.toString('utf8'), { verify: isOn(options.verify) });
}

function isOn(value: unknown): boolean {
  return value === true || value === 'true' || value === '';
}

/** `config-sync [force-full-load-push] to-group GROUP`, `config-sync from-group GROUP` */
function clusterCommand(call: Call, user: SimulatedUser, unit: RestUnit): Answer {
  const body = bodyOf(call);
  const words = String(body.utilCmdArgs ?? '')
    .trim()
    .split(/\s+/);
  const at = words.findIndex((word) => word === 'to-group' || word === 'from-group');
  const group = words[at + 1];
  if (body.command !== 'run' || words[0] !== 'config-sync' || at === -1 || group === undefined) {
    refuseBox(400, `Syntax Error: "${words.join(' ')}" unexpected argument`, 1);
  }
  mayCommand(user, 'config-sync');
  unit.seat.sync(words[at] === 'to-group' ? 'to' : 'from', group, words.includes('force-full-load-push'));
  return json({ kind: 'tm:cm:runstate', ...body });
}

async function failoverCommand(call: Call, user: SimulatedUser, unit: RestUnit): Promise<Answer> {
  const body = bodyOf(call);
  const standby = body.standby === true || /\bstandby\b/.test(String(body.utilCmdArgs ?? ''));
  if (body.command !== 'run' || !standby) refuseBox(400, 'Syntax Error: "standby" expected', 1);
  mayCommand(user, 'failover');
  if (unit.seat.isActive()) await unit.seat.failover();
  return json({ kind: 'tm:sys:failover:runstate', ...body });
}

function removeFiles(call: Call, user: SimulatedUser, unit: RestUnit): Answer {
  const body = bodyOf(call);
  mayCommand(user, 'util');
  if (body.command !== 'run')
    refuseBox(400, `Found invalid command "${String(body.command)}" on component /util/unix-rm.`, 1);
  const words = String(body.utilCmdArgs ?? '')
    .trim()
    .split(/\s+/);
  const quiet = words.some((word) => /^-[a-z]*f/.test(word));
  const paths = words.filter((word) => word !== '' && !word.startsWith('-'));
  const said = paths.map((path) => removeFile(path, unit)).filter((line) => line !== '' && !quiet);
  const result = { kind: 'tm:util:unix-rm:runstate', ...body };
  return json(said.length === 0 ? result : { ...result, commandResult: `${said.join('\n')}\n` });
}

function removeFile(path: string, unit: RestUnit): string {
  const name = path.startsWith(`${downloads}/`) ? path.slice(downloads.length + 1) : '';
  if (!isFileName(name)) return `/bin/rm: cannot remove '${path}': Operation not permitted`;
  return unit.config.uploads.delete(name) ? '' : `/bin/rm: cannot remove '${path}': No such file or directory`;
}
