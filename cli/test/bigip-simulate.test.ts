/** `edgeward bigip simulate`, as a process: it says where it is, serves, tells what happens, and ends on a signal. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { documentsIn, run, start } from './fixtures/run.ts';

const CONFIG = `
ltm rule /Common/greet {
when CLIENT_ACCEPTED {
    log local0. "hello from [IP::client_addr]"
    reject
}
}
ltm virtual "/Common/odd \\"name\\"" {
    destination /Common/127.0.0.1:0
    profiles {
        /Common/tcp { }
    }
    rules {
        /Common/greet
    }
}
`;

type Event = Record<string, unknown>;

/** Its lines of JSON, as they come; gone after the test. */
async function simulated(t: Test, args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-simulate-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'bigip.conf'), CONFIG);
  const filled = args.map((word) => word.replace('FOLDER', folder));
  const { child, ended } = start(t, ['bigip', 'simulate', '--listen', '127.0.0.1:0', '--json', ...filled]);
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  const next = async (wanted: string): Promise<Event> => {
    for (let looks = 0; looks < 100; looks += 1) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`it ended: ${(await ended).err}`);
      const event = JSON.parse(value) as Event;
      if (event.event === wanted) return event;
    }
    throw new Error(`no ${wanted} in 100 lines`);
  };
  return { folder, child, ended, next };
}

function getJson(url: string, ca: string, password: string): Promise<{ status: number; body: Event }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, auth: `admin:${password}`, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Event }));
    });
    request.on('error', reject);
  });
}

t.test('it tells where it is and how to get in, and a signal ends it', async (t) => {
  const { child, ended, next } = await simulated(t, ['--no-data-plane', '--tmos', '13.1.3']);
  const { units, user, password, caFile, version } = await next('started');
  t.strictSame([user, version], ['admin', '13.1.3']);
  const [unit] = units as { name: string; url: string }[];
  const ca = await readFile(String(caFile), 'utf8');
  const { status, body } = await getJson(`${unit?.url}/mgmt/tm/sys/version`, ca, String(password));
  t.equal(status, 200);
  t.match(body, { selfLink: /ver=13\.1\.3/ });
  child.kill('SIGINT');
  t.match(await ended, { code: 0, signal: null });
  t.notOk(existsSync(String(caFile)), 'the authority that nobody asked for is gone');
});

t.test('the password of a file is taken and not told, and the authority stays where it was asked', async (t) => {
  const folder = t.testdir({ password: 'secret enough\n' });
  execFileSync('chmod', ['600', join(folder, 'password')]);
  const args = [
    '--no-data-plane',
    '--pair',
    '--password-file',
    join(folder, 'password'),
    '--ca-out',
    join(folder, 'ca.pem'),
  ];
  const { child, ended, next } = await simulated(t, args);
  const started = await next('started');
  t.equal(started.password, null);
  const units = started.units as { url: string }[];
  t.equal(units.length, 2);
  const ca = await readFile(join(folder, 'ca.pem'), 'utf8');
  for (const { url } of units) t.equal((await getJson(`${url}/mgmt/tm/sys/version`, ca, 'secret enough')).status, 200);
  child.kill('SIGTERM');
  t.match(await ended, { code: 0 });
  t.ok(existsSync(join(folder, 'ca.pem')));
});

t.test('virtual servers listen, and what rules log is shown', async (t) => {
  const { child, ended, next } = await simulated(t, ['--load', 'FOLDER/bigip.conf']);
  const { virtual, address, unit } = await next('listening');
  t.strictSame([virtual, unit], ['/Common/odd "name"', 'bigip-a.example']);
  const [host = '', port = ''] = String(address).split(':');
  const socket = connect({ host, port: Number(port) });
  // Refused by the rule.
  await new Promise((resolve) => void socket.on('error', () => {}).once('close', resolve));
  t.match(await next('log'), { line: /hello from 127\.0\.0\.1/ });
  child.kill('SIGINT');
  t.match(await ended, { code: 0 });
});

t.test('a command line or a file that is wrong is told at once', async (t) => {
  const folder = t.testdir({ 'bad.conf': 'ltm virtual {', open: 'secret' });
  execFileSync('chmod', ['644', join(folder, 'open')]);
  const cases: [string[], number, string][] = [
    [['--listen', '0.0.0.0:8443'], 2, 'EDW_ERR_USAGE'],
    [['--listen', '127.0.0.1:99999'], 2, 'EDW_ERR_USAGE'],
    [['--tmos', '12.1.0'], 2, 'EDW_ERR_USAGE'],
    [['--load', join(folder, 'none.conf')], 78, 'EDW_ERR_SIMULATOR_CONFIG'],
    [['--load', join(folder, 'bad.conf'), '--no-data-plane'], 78, 'EDW_ERR_SIMULATOR_CONFIG'],
    [['--password-file', join(folder, 'open')], 78, 'EDW_ERR_SECRET_FILE'],
    [['--no-data-plane', '--ca-out', join(folder, 'none', 'ca.pem')], 2, 'EDW_ERR_OUT_FILE'],
  ];
  for (const [args, code, error] of cases) {
    const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    const said = await run(['bigip', 'simulate', ...listen, ...args, '--json']);
    const documents = documentsIn(said.out) as { error?: { code: string } }[];
    t.equal(documents.at(-1)?.error?.code, error, args.join(' '));
    t.equal(said.code, code, args.join(' '));
  }
});

t.test('where there is no tclsh, the mend names what needs none', async (t) => {
  const { ended } = start(t, ['bigip', 'simulate'], { PATH: '/nowhere', EDGEWARD_CACHE: t.testdir({}) });
  t.match(await ended, { code: 69, err: /EDW_ERR_TCLSH_NOT_FOUND[\s\S]*--no-data-plane/ });
});

t.test('the ledger is printed with what is presumed first', async (t) => {
  const said = await run(['bigip', 'simulate', '--fidelity']);
  t.equal(said.code, 0);
  t.match(said.out, /^presumed/);
  t.match(
    said.out,
    /\d+ behaviours: \d+ presumed, \d+ issue report, \d+ tool code, \d+ vendor document, \d+ recorded\n$/,
  );
  const ledger = JSON.parse((await run(['bigip', 'simulate', '--fidelity', '--json'])).out) as Event[];
  t.ok(ledger.every(({ area, behaviour, evidence, source }) => area && behaviour && evidence && source));
});
