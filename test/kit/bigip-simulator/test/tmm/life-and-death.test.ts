import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import { ask, contentOf, request, type Stage, setStage, skip, streamServer, until } from './stage.ts';

const onLinux = existsSync('/proc/self/task');
const skipChildren = skip !== false ? skip : onLinux ? false : 'child processes are listed in /proc only on Linux';

const children = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

async function newChild(start: () => Promise<Stage>): Promise<{ stage: Stage; pid: number }> {
  const before = new Set(children(process.pid));
  const stage = await start();
  const pid = children(process.pid).find((child) => !before.has(child)) ?? 0;
  return { stage, pid };
}

t.test(
  'the death of tclsh is a restart of TMM: open connections are reset, and everything is there again',
  { skip: skipChildren },
  async (t) => {
    const { stage, pid } = await newChild(() => setStage(t));
    const server = await streamServer(t);
    await stage.pool('/Common/p', server.port);
    await stage.group('/Common/g', 'string', { k: 'v' });
    await stage.rule(
      '/Common/r',
      `when RULE_INIT { set static::n 0 }
when HTTP_REQUEST { if { [HTTP::path] eq "/open" } { return }; HTTP::respond 200 content "[class match -value k equals g] [incr static::n]" noserver }`,
    );
    await stage.virtual('/Common/v', { pool: '/Common/p', rules: ['/Common/r'] });
    t.equal(contentOf((await stage.ask('/Common/v', request('/'))).text), 'v 1');
    const lookups = await stage.plane.classLookups();
    const place = stage.at('/Common/v');
    const open = connect(place, () => open.write('GET /open HTTP/1.1\r\n\r\n'));
    let reset = false;
    open.on('error', () => {
      reset = true;
    });
    await until(() => server.connections.length === 1, 'a request is with the server');
    const gone = new Promise((resolve) => open.once('close', resolve));
    process.kill(pid, 'SIGKILL');
    await gone;
    t.ok(reset, 'the connection is reset');
    await stage.group('/Common/g', 'string', { k: 'written meanwhile' });
    await stage.plane.settled();
    t.strictSame(stage.at('/Common/v'), place, 'it listens where it did');
    t.equal(contentOf((await stage.ask('/Common/v', request('/'))).text), 'written meanwhile 1', 'RULE_INIT ran again');
    t.equal(await stage.plane.classLookups(), lookups + 1, 'what was counted stays counted');
    t.match(stage.plane.log().at(-1), /emerg tmm\[\d+\]: simulator: TMM restarts: ended with SIGKILL/);
  },
);

t.test('nothing is left when it is closed, also in the middle of a connection', { skip: skipChildren }, async (t) => {
  const { stage, pid } = await newChild(() => setStage(t));
  const server = await streamServer(t);
  await stage.pool('/Common/p', server.port);
  await stage.virtual('/Common/v', { pool: '/Common/p', profiles: [{ name: '/Common/tcp' }] });
  const place = stage.at('/Common/v');
  const open = connect(place);
  open.on('error', () => {});
  const gone = new Promise((resolve) => open.once('close', resolve));
  await until(() => server.connections.length === 1, 'it is passed on');
  await Promise.all([stage.plane.close(), stage.plane.close()]);
  await gone;
  t.notOk(alive(pid));
  t.equal((await ask(place, '')).end, 'reset', 'nobody listens');
});

t.test('tclsh ends when whoever started it is killed', { skip: skipChildren }, async (t) => {
  const script = new URL('./orphan-maker.ts', import.meta.url).pathname;
  const parent = spawn(process.execPath, ['--conditions=edgeward-source', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => void parent.kill('SIGKILL'));
  await new Promise((resolve) => parent.stdout.once('data', resolve));
  const [pid = 0] = children(parent.pid ?? 0);
  t.ok(alive(pid));
  parent.kill('SIGKILL');
  await until(() => !alive(pid), 'tclsh is gone');
});

t.test('a tclsh that is missing, or is none, is a coded error', { skip }, async (t) => {
  await t.rejects(setStage(t, { tclsh: 'tclsh-that-is-not-there' }), {
    code: 'EDW_ERR_TCLSH_NOT_FOUND',
    mend: /apt-get install tcl/,
  });
  await t.rejects(setStage(t, { tclsh: '/nowhere/tclsh' }), { code: 'EDW_ERR_TCLSH_NOT_FOUND' });
  await t.rejects(setStage(t, { tclsh: '/bin/false' }), { code: 'EDW_ERR_TCLSH_FAILED' });
  const folder = t.testdir({});
  const old = `${folder}/tclsh`;
  writeFileSync(old, '#!/bin/sh\necho "no such command" >&2; exit 1\n');
  chmodSync(old, 0o755);
  await t.rejects(setStage(t, { tclsh: old }), { code: 'EDW_ERR_TCLSH_FAILED' });
});
