import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseInvite } from '@edgeward/host-agent/protocol';
import { systemClock } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { type Enrolling, enrolling, folderFor } from '../../sync-service/test/fixtures/enrolling.ts';
import { run } from './fixtures/run.ts';

interface Place {
  at: Enrolling;
  config: string;
  agentConfig: string;
}

/** A service that listens, its configuration, and that of an agent elsewhere. */
async function place(t: Test): Promise<Place> {
  const at = await enrolling(t, { clock: systemClock });
  const folder = await folderFor(t);
  const [config, agentConfig] = [join(folder, 'edgeward.yaml'), join(folder, 'agent.yaml')];
  const hosts = {
    listen: `127.0.0.1:${at.hosts.port}`,
    enrolListen: `127.0.0.1:${at.enrol.port}`,
    names: ['127.0.0.1', 'localhost'],
    points: { 'host-1': {}, 'host-2': {} },
  };
  await writeFile(config, JSON.stringify({ stateDir: at.stateDir, hosts }));
  await writeFile(agentConfig, JSON.stringify({ stateDir: join(folder, 'agent') }));
  return { at, config, agentConfig };
}

t.test('an invite is one line on standard output, and the agent enrols with it', async (t) => {
  const { at, config, agentConfig } = await place(t);
  const made = await run(['hosts', 'invite', 'host-1', '--config', config]);
  t.equal(made.code, 0, made.err);
  t.match(made.out, /^[A-Za-z0-9_-]+\n$/);
  t.match(made.err, /host-1, good once and until \d{4}-/);
  const { url, authority, secret } = parseInvite(made.out);
  t.equal(url, at.enrol.url);
  t.equal(authority, at.authority.fingerprint);
  t.notOk(made.err.includes(secret), 'the secret is in the line alone');
  const enrolled = await run(['agent', 'enrol', '-', '--config', agentConfig, '--json'], { stdin: made.out });
  t.equal(enrolled.code, 0, enrolled.err);
  t.match(JSON.parse(enrolled.out), { point: 'host-1', service: [at.hosts.url] });
  const again = await run(['agent', 'enrol', '-', '--config', agentConfig], { stdin: made.out });
  t.equal(again.code, 3, 'it works once');
  t.match(again.err, /EDW_ERR_HOST_ENROLMENT/);
});

t.test('who is enrolled and who is invited is listed', async (t) => {
  const { config, agentConfig } = await place(t);
  const { out } = await run(['hosts', 'invite', 'host-2', '--config', config]);
  await run(['agent', 'enrol', '-', '--config', agentConfig], { stdin: out });
  await run(['hosts', 'invite', 'host-1', '--minutes', '60', '--config', config]);
  const listed = await run(['hosts', 'list', '--config', config, '--json']);
  const instant = /^\d{4}-\d\d-\d\dT/;
  t.match(JSON.parse(listed.out), {
    hosts: [
      { point: 'host-1', configured: true, enrolledAt: null, invitedUntil: instant },
      { point: 'host-2', configured: true, enrolledAt: instant, invitedUntil: null },
    ],
  });
  const text = await readFile(config, 'utf8');
  await writeFile(config, text.replace(',"host-2":{}', ''));
  t.match((await run(['hosts', 'list', '--config', config])).out, /host-2 .*not configured: refused/);
});

t.test('an invite leads to the address that this host reaches', async (t) => {
  const { at, config } = await place(t);
  const made = await run(['hosts', 'invite', 'host-1', '--via', 'localhost', '--config', config, '--json']);
  const answer = JSON.parse(made.out) as { invite: string; url: string; endsAt: string };
  t.equal(answer.url, `https://localhost:${at.enrol.port}`);
  t.equal(parseInvite(answer.invite).url, answer.url);
  const minutes = (Date.parse(answer.endsAt) - Date.now()) / 60_000;
  t.ok(minutes > 10 && minutes <= 15, 'for fifteen minutes, if nothing else is said');
});

t.test('a dry run makes nothing, and voids nothing', async (t) => {
  const { config, agentConfig } = await place(t);
  const { out } = await run(['hosts', 'invite', 'host-1', '--config', config]);
  const dry = await run(['hosts', 'invite', 'host-1', '--dry-run', '--json', '--config', config]);
  t.match(JSON.parse(dry.out), { point: 'host-1', invite: null });
  t.match((await run(['hosts', 'invite', 'host-1', '--dry-run', '--config', config])).out, /would make an invite/);
  t.equal((await run(['agent', 'enrol', '-', '--config', agentConfig], { stdin: out })).code, 0);
});

t.test('what can not be invited is said with what to do', async (t) => {
  const { config } = await place(t);
  const folder = await folderFor(t);
  let files = 0;
  const without = async (change: object): Promise<string> => {
    files += 1;
    const file = join(folder, `${files}.yaml`);
    const value = JSON.parse(await readFile(config, 'utf8')) as { hosts: object };
    await writeFile(file, JSON.stringify({ ...value, ...change }));
    return file;
  };
  const hosts = (JSON.parse(await readFile(config, 'utf8')) as { hosts: object }).hosts;
  const table: [name: string, args: string[], code: number, says: RegExp][] = [
    ['a host that is not configured', ['host-9', '--config', config], 78, /hosts\.points.*host-1, host-2/],
    ['no hosts', ['host-1', '--config', await without({ hosts: undefined })], 78, /hosts\.enrolListen/],
    [
      'no enrolment',
      ['host-1', '--config', await without({ hosts: { ...hosts, enrolListen: undefined } })],
      78,
      /hosts\.enrolListen/,
    ],
    ['a service that never ran', ['host-1', '--config', await without({ stateDir: folder })], 78, /Start the service/],
    ['another address', ['host-1', '--via', 'else.example', '--config', config], 78, /127\.0\.0\.1, localhost/],
    ['no time', ['host-1', '--minutes', '0', '--config', config], 2, /from 1 to 1440/],
    ['days', ['host-1', '--minutes', '1441', '--config', config], 2, /from 1 to 1440/],
    ['no name', ['--config', config], 2, /NAME/],
  ];
  for (const [name, args, code, says] of table) {
    const said = await run(['hosts', 'invite', ...args]);
    t.equal(said.code, code, `${name}: ${said.err}`);
    t.match(said.err, says, name);
    t.equal(said.out, '', name);
  }
  t.match((await run(['hosts', 'list', '--config', await without({ hosts: undefined })])).out, /No hosts/);
});
