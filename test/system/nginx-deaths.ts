/**
 * Ways in which an NGINX dies by `kill -9`: a worker at any moment, all of it, and a worker that has counted a denial and not
 * written its line. For the last one a pipe that nobody reads takes the place of the log: who opens it stands still.
 */
import { execFile } from 'node:child_process';
import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Edge } from '@edgeward/test/kit';
import { until } from './waiting.ts';

const run = promisify(execFile);

async function workersOf(edge: Edge): Promise<number[]> {
  const master = Number(await readFile(join(edge.paths.folder, 'nginx.pid'), 'utf8'));
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'latin1');
  return children.split(' ').filter(Boolean).map(Number);
}

/** false: it was gone already. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw thrown;
  }
}

/** The nth of its workers; its master starts another one. */
export async function killWorker(edge: Edge, nth: number): Promise<void> {
  const workers = await workersOf(edge);
  const worker = workers[nth % workers.length];
  if (worker !== undefined) kill(worker);
}

/** Rotated away, and a pipe in its place: never over a log that NGINX made in between. */
async function blockLog(edge: Edge): Promise<void> {
  const { denyLog, folder } = edge.paths;
  const pipe = join(folder, 'stop');
  await run('mkfifo', ['--mode=666', pipe]);
  for (let turn = 0; turn < 1_000; turn += 1) {
    await rename(denyLog, `${denyLog}.${Date.now()}-${turn}`).catch(unless('ENOENT'));
    const isThere = await link(pipe, denyLog).then(() => true, unless('EEXIST'));
    if (isThere === true) return rm(pipe);
  }
  throw new Error(`${denyLog} could not be put aside`);
}

const unless =
  (code: string) =>
  (thrown: NodeJS.ErrnoException): false => {
    if (thrown.code !== code) throw thrown;
    return false;
  };

/** What a kernel calls the wait of who opens a pipe that nobody reads. */
const standsStill = async (pid: number): Promise<boolean> =>
  (await readFile(`/proc/${pid}/wchan`, 'latin1').catch(() => '')) === 'wait_for_partner';

/** Answers how many denials were counted and have no line: one of each worker that stood there. Requests have to be running. */
export async function killBeforeLine(edge: Edge): Promise<number> {
  await blockLog(edge);
  const workers = await workersOf(edge);
  const still = async (): Promise<number[]> => {
    const stand = await Promise.all(workers.map(standsStill));
    return workers.filter((_, at) => stand[at]);
  };
  try {
    await until('a worker has counted and not written', async () => (await still()).length > 0);
  } finally {
    // Those who come next find no log, and make one.
    await rm(edge.paths.denyLog, { force: true });
  }
  return (await still()).filter(kill).length;
}

/** References of all lines that it wrote, rotated ones included. */
export async function refsWritten(edge: Edge): Promise<string[]> {
  const folder = join(edge.paths.denyLog, '..');
  const names = (await readdir(folder)).filter((name) => name.startsWith('deny.log'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
  return lines.map((line) => (JSON.parse(line) as { ref: string }).ref).sort();
}
