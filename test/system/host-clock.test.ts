/**
 * The clock of a host is set while its agent runs: a year ahead, then two years back. Only the agent sees it, by a clock of its
 * process that signals set; TLS and ulogd keep the one of the machine.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { hostAddress, POINT, startHostSite } from './host-site.ts';
import { eventually, until } from './waiting.ts';

requireHosts(t);
t.setTimeout(400_000);

const PORT = 'tcp/5432';
const YEAR_MS = 365 * 86_400_000;
const SENDERS = Array.from({ length: 4 }, (_, i) => `10.30.1.${i + 1}`);
const STRANGERS = ['10.66.6.6', '10.66.6.7', '10.66.6.8'] as const;

/** Whatever asks for the time of day gets one that is so far from that of the machine. Timers are those of the machine. */
const CLOCK = `const { now } = Date;
const RealDate = Date;
let shift = 0;
process.on('SIGUSR2', () => { shift = shift === 0 ? ${YEAR_MS} : -${YEAR_MS}; });
Date.now = () => now() + shift;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [Date.now()] : args, self),
});
`;

/** Each revision lets in the first sender, and another second one: no two have samples in common, which time would tell apart. */
const documents = (revision: number): object[] => [
  {
    ...{ kind: 'Workload', name: 'billing-db-1', labels: { app: 'billing' }, addresses: [hostAddress] },
    ...{ point: POINT, ports: [PORT], mode: 'enforce' },
  },
  { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
  {
    ...{ kind: 'Policy', name: 'billing' },
    rules: [
      {
        ...{ id: 'crm', to: "app == 'billing'", ports: [PORT] },
        from: [SENDERS[0], SENDERS[revision]].map((address) => ({ cidr: `${address}/32` })),
      },
    ],
  },
];

t.test('no verdict, no policy and no count depends on the clock of a host', async (t) => {
  const site = await startHostSite(t);
  const clock = join(site.folder, 'clock.mjs');
  await writeFile(clock, CLOCK);
  const probe = site.host.probe();
  await probe.listen(PORT);
  await site.policy(documents(1));
  await site.service.start();
  const invite = await site.atService(['hosts', 'invite', POINT]);
  t.match(await site.onHost(['agent', 'enrol', '-'], invite.out), { code: 0 }, invite.err);
  await site.agentBy('env', `NODE_OPTIONS=--import=${clock}`).start();
  const inForce = (revision: number): Promise<void> =>
    until(`revision ${revision} is in force`, async () => {
      const { state, appliedRevision } = await site.status();
      return state === 'current' && appliedRevision === revision;
    });
  const call = (...from: string[]): Promise<string[]> =>
    site.host.call(from.map((address) => ({ from: address, to: hostAddress, port: PORT })));
  await inForce(1);
  const [first = '', , second = '', third = ''] = SENDERS;
  t.strictSame(await call(first, STRANGERS[0]), ['open', 'silent']);
  const live = await probe.connect({ from: first, to: hostAddress, port: PORT });

  for (const [step, sender, stranger] of [
    [1, second, STRANGERS[1]],
    [-1, third, STRANGERS[2]],
  ] as const) {
    const { pid } = await site.agentStatus();
    process.kill(pid, 'SIGUSR2');
    const words = step > 0 ? 'a year ahead' : 'a year back';
    const revision = step > 0 ? 2 : 3;
    await site.policy(documents(revision));
    await inForce(revision);
    t.strictSame(await call(first, sender, stranger), ['open', 'open', 'silent'], `${words}: what is new is in force`);
    t.equal(await probe.echo(live), true, `${words}: who is in stays in`);
    const { host, hazards } = await site.status();
    const skew = (host?.clockSkewMs ?? 0) * step;
    t.ok(skew > YEAR_MS - 60_000 && skew < YEAR_MS + 60_000, `${words}: the service sees it`);
    t.match(hazards, [{ code: 'clock-skew' }], `${words}: and says so`);
    t.match((await site.agentStatus()).report, { state: 'applied', nack: null });
  }
  t.equal((await site.agentStatus()).report.applied?.revision, 3);
  await eventually(
    'everybody who was denied is named, under the policy of that time',
    async () => {
      const events = await site.denials();
      const named = STRANGERS.map((source) => events.find((event) => event.source === source)?.revision);
      return JSON.stringify(named) === '[1,2,3]' ? true : null;
    },
    3_000,
  );
});
