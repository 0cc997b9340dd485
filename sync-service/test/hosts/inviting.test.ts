/** What keeps a person from inviting a host, told with what to do. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, Registry, systemClock } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import type { HostsConfig } from '../../src/config.ts';
import { openHostAuthority } from '../../src/hosts/enrolment.ts';
import { type InviteRequest, inviteHost, knownHosts, planInvite } from '../../src/hosts/inviting.ts';

const CODE = 'EDW_ERR_HOST_INVITING';

interface Place {
  stateDir: string;
  config: HostsConfig;
  /** As a service does at its start. */
  runOnce(): Promise<void>;
}

async function place(t: Test): Promise<Place> {
  const stateDir = await mkdtemp(join(tmpdir(), 'edgeward-inviting-'));
  t.teardown(() => rm(stateDir, { recursive: true, force: true }));
  const [listen, enrolListen] = [
    { host: '127.0.0.1', port: 7443 },
    { host: '127.0.0.1', port: 7444 },
  ];
  const folder = join(stateDir, 'hosts');
  const points: HostsConfig['points'] = [{ name: 'host-1', onDrift: 'report' }];
  const config = { listen, enrolListen, names: ['edgeward.example', '::1'], denialsPerSecond: 1, folder, points };
  return {
    ...{ stateDir, config },
    async runOnce() {
      const authority = await openHostAuthority({
        ...{ stateDir, names: config.names, points: ['host-1'], signingKeys: [], service: () => [] },
        ...{ registry: new Registry(), logger: createLogger({ level: 'silent' }), clock: systemClock },
      });
      await authority.close();
    },
  };
}

const request: InviteRequest = { point: 'host-1', minutes: 15, via: undefined, nowMs: Date.now() };

t.test('an invite that would lead nowhere is not made', async (t) => {
  const { config, runOnce } = await place(t);
  await runOnce();
  const cases: [string, HostsConfig | null, Partial<InviteRequest>, RegExp, RegExp][] = [
    ['no hosts at all', null, {}, /no listener that hosts enrol at/, /hosts\.enrolListen/],
    ['no listener', { ...config, enrolListen: null }, {}, /no listener that hosts enrol at/, /hosts\.enrolListen/],
    ['another host', config, { point: 'host-9' }, /has no host host-9/, /hosts\.points, and restart.*has host-1\./],
    ['a host of none', { ...config, points: [] }, {}, /has no host host-1/, /It has none\./],
    ['another name', config, { via: '10.0.0.1' }, /hosts\.names has no 10\.0\.0\.1/, /edgeward\.example, ::1/],
  ];
  for (const [name, config, change, message, mend] of cases) {
    const asked = { ...request, ...change };
    t.throws(() => planInvite(config, asked), { code: CODE, message, mend }, name);
    await t.rejects(inviteHost(config, asked), { code: CODE, message, mend }, name);
  }
  t.strictSame(await readdir(join(config.folder, 'invites')), [], 'nothing is written');
  const made = await inviteHost(config, { ...request, via: '::1' });
  t.match(made, { point: 'host-1', url: 'https://[::1]:7444' });
});

t.test('where no service ever ran, or its folder is damaged, there is nobody to enrol at', async (t) => {
  const { config, runOnce } = await place(t);
  const never = { code: CODE, mend: /Start the service once with `hosts`/ };
  await t.rejects(inviteHost(config, request), never, 'no authority');
  await t.rejects(knownHosts(config, request.nowMs), never, 'nobody to list');
  await runOnce();
  t.match(await knownHosts(config, request.nowMs), [{ point: 'host-1', enrolledAt: null, invitedUntil: null }]);
  const invites = join(config.folder, 'invites');
  await rm(invites, { recursive: true });
  await t.rejects(inviteHost(config, request), { ...never, message: /making an invite in / }, 'no folder for invites');
  await writeFile(invites, '');
  await t.rejects(inviteHost(config, request), { ...never, message: /making an invite in / }, 'a file in its place');
  await t.rejects(knownHosts(config, request.nowMs), { ...never, message: /reading / });
  await rm(invites);
  await mkdir(invites);
  await rm(join(config.folder, 'enrolled'), { recursive: true });
  const unread = { code: CODE, message: /reading who is enrolled: /, mend: /as its user or as root/ };
  await t.rejects(knownHosts(config, request.nowMs), unread);
});
