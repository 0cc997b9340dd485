/** What the kernel says it denied is what was sent: exactly, per family and hook, and by no sampling. */
import { HOST_ADDRESSES, requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';
import { createHostPoint, createNetfilter, createToolRun, type DenyCounter, hostCounters } from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';

requireHosts(t);
t.jobs = 4;

const { inet, inet6 } = HOST_ADDRESSES;
/** A datagram is sent once; nothing of it comes again. */
const CALLERS = [
  ...Array.from({ length: 12 }, (_, n) => ({ from: `203.0.113.${n + 1}`, to: inet, port: 'udp/5432' })),
  ...Array.from({ length: 7 }, (_, n) => ({ from: `2001:db8:bad::${n + 1}`, to: inet6, port: 'udp/5432' })),
  { from: '10.1.0.5', to: inet, port: 'udp/5432' },
];

const told = (counters: DenyCounter[]): string[] =>
  counters.map(({ family, hook, verdict, packets }) => `${family} ${hook} ${verdict} ${packets}`).sort();

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`denials are counted exactly (${backend})`, async (t) => {
    const host = await startHost(t);
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    t.strictSame((await hostCounters(netfilter)).denials, [], 'none without a policy');
    const point = closedWith(t, createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter }));
    const policy = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
    await point.apply(policy);
    await host.call(CALLERS);
    const wanted = ['inet forward deny 0', 'inet input deny 12', 'inet6 forward deny 0', 'inet6 input deny 7'];
    t.strictSame(told((await hostCounters(netfilter)).denials), wanted, 'every one, and the allowed one not');
    t.equal(
      new Set((await hostCounters(netfilter)).denials.map(({ generation }) => generation)).size,
      1,
      'of one generation',
    );
    const found = await point.inspect();
    t.ok(found.state === 'loaded' && found.drift.length === 0, 'a rule that counted is the rule that was written');
    t.equal((await point.apply(policy)).writes, 0, 'and is not written again');
    await point.apply(hostPolicy({ revision: 2, allow: ['10.1.0.0/16'], mode: 'observe' }));
    await host.call(CALLERS.slice(0, 3));
    t.ok(
      told((await hostCounters(netfilter)).denials).includes('inet input would-deny 3'),
      'who only observes says so',
    );
    await point.apply(hostPolicy({ revision: 3, allow: ['10.1.0.0/16'], mode: 'off' }));
    await point.settled();
    t.strictSame((await hostCounters(netfilter)).denials, [], 'who judges nobody counts nobody');
  });
}

const ROUNDS = 60;
const CHANGES = 12;

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`nothing that is denied while policies change is lost from the counts (${backend})`, async (t) => {
    const host = await startHost(t);
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    const retired: DenyCounter[] = [];
    const onRetired = (counters: DenyCounter[]): void => void retired.push(...counters);
    const point = closedWith(t, createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter, onRetired }));
    const policyOf = (revision: number): ReturnType<typeof hostPolicy> =>
      hostPolicy({ revision, allow: [`10.${revision}.0.0/16`], mode: revision % 3 === 0 ? 'observe' : 'enforce' });
    await point.apply(policyOf(11));
    const denied = CALLERS.slice(0, 19);
    // The peer has all addresses after this: a call from one that it is only getting would send nothing.
    await host.call(denied);
    const sent: Promise<unknown>[] = [];
    const pace = setInterval(() => {
      if (sent.length < ROUNDS) sent.push(host.call(denied));
    }, 20);
    t.teardown(() => clearInterval(pace));
    for (let change = 1; change <= CHANGES; change += 1) await point.apply(policyOf(11 + change));
    clearInterval(pace);
    await Promise.all(sent);
    await point.settled();
    const counters = [...retired, ...(await hostCounters(netfilter)).denials];
    const packets = counters.reduce((sum, { packets }) => sum + packets, 0);
    t.equal(packets, (1 + sent.length) * denied.length, 'every datagram is in one of them');
    const told = counters.map(({ family, hook, generation }) => `${family} ${hook} ${generation}`);
    t.equal(new Set(told).size, told.length, 'and no generation is told of twice');
    t.ok(
      sent.length > 3 && retired.length >= CHANGES * 2,
      `${sent.length} rounds, ${retired.length} counters are over`,
    );
  });
}
