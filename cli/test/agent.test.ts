/** `edgeward agent …` as far as no packet filter is needed: what it reads, says, and ends with. */
import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';

const run = promisify(execFile);
const main = startable('cli/src/agent/main.ts');

interface Ended {
  status: number;
  out: string;
  err: string;
}

async function agent(words: string[], env: Record<string, string> = {}): Promise<Ended> {
  const args = ['--conditions=edgeward-source', main, ...words];
  return run(process.execPath, args, { env: childEnvironment(env) }).then(
    ({ stdout, stderr }) => ({ status: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ status: code as number, out: stdout as string, err: stderr as string }),
  );
}

const config = (t: Test, more = ''): string => {
  // Not below the folder of these sources: whom a folder belongs to is judged by those above it too.
  const dir = mkdtempSync(join(tmpdir(), 'edgeward-agent-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(`${dir}/agent.yaml`, `stateDir: ${dir}/state\nruntimeDir: ${dir}/run\n${more}`);
  return `${dir}/agent.yaml`;
};

t.test('the program of a host has the one noun, and says so', async (t) => {
  const help = await agent(['--help']);
  t.match(help, { status: 0, out: /agent run/ });
  t.notMatch(help.out, /edgeward serve/);
  t.match(await agent(['agent', '--help']), { status: 0, out: /agent remove/ });
  t.match(await agent(['serve']), { status: 2, err: /EDW_ERR_USAGE/ });
  t.match(await agent(['agent']), { status: 2, err: /run, enrol, status, restore, remove/ });
  t.match(await agent(['--version']), { status: 0, out: /^edgeward \d/ });
});

t.test('a configuration with faults is refused with all of them, whatever was asked', async (t) => {
  const file = config(t, 'backend: ipchains\nservces: []\n');
  for (const words of [['run'], ['status'], ['restore'], ['remove'], ['enrol', 'x']]) {
    const ended = await agent(['agent', ...words, '--config', file]);
    t.match(ended, { status: 78, err: /EDW_ERR_CONFIG/ }, words.join(' '));
    for (const word of ['backend', 'servces']) t.match(ended.err, word, `${words.join(' ')}: ${word}`);
  }
  t.match(await agent(['agent', 'status', '--config', config(t, 'verdict: [')]), { status: 78, err: /EDW_ERR_CONFIG/ });
  t.match(await agent(['agent', 'status', '--config', '/nowhere/agent.yaml']), {
    status: 78,
    err: /EDW_ERR_CONFIG_FILE/,
  });
});

t.test('a host that was not enrolled says so, and how', async (t) => {
  const file = config(t);
  t.match(await agent(['agent', 'run', '--config', file]), {
    status: 78,
    err: /EDW_ERR_HOST_NOT_ENROLLED.*hosts invite/s,
  });
  t.match(await agent(['agent', 'restore', '--config', file, '--json']), { status: 0, out: /"restored":\s*null/ });
  t.match(await agent(['agent', 'status', '--config', file]), { status: 3, out: /not running/ });
  t.match(await agent(['agent', 'status', '--config', file, '--json']), { status: 3, out: /^null/ });
});

t.test('root runs no agent in a folder that somebody else can exchange', async (t) => {
  if (process.geteuid?.() !== 0) return void t.pass('not run: only root is refused');
  for (const folder of ['state', 'theirs/roots']) {
    const file = config(t);
    const dir = dirname(file);
    mkdirSync(`${dir}/${folder}`, { recursive: true });
    chownSync(`${dir}/${folder.split('/')[0]}`, 65_534, 65_534);
    const ended = await agent(['agent', 'run', '--config', file], { EDGEWARD_AGENT_STATE_DIR: `${dir}/${folder}` });
    t.match(
      ended,
      { status: 78, err: /EDW_ERR_STATE_WRITE.*user 65534 owns.*systemctl start.*chown -R root:/s },
      folder,
    );
  }
});

t.test('an invite that is none is refused, and nothing of it is repeated', async (t) => {
  const file = config(t);
  const ended = await agent(['agent', 'enrol', 'c2VjcmV0LW9mLXRoZS1ob3N0', '--config', file, '--json']);
  t.match(ended, { status: 3, out: /EDW_ERR_HOST_INVITE/ });
  t.notMatch(ended.out + ended.err, /c2VjcmV0|secret-of/);
});

t.test('a variable that no key has is refused', async (t) => {
  const file = config(t);
  t.match(await agent(['agent', 'status', '--config', file], { EDGEWARD_AGENT_BAKEND: 'nft' }), {
    status: 78,
    err: /BAKEND/,
  });
  t.match(await agent(['agent', 'status', '--config', file], { EDGEWARD_AGENT_BACKEND: 'nft', EDGEWARD_OTHER: '1' }), {
    status: 3,
  });
});
