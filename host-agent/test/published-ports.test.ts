/** Ports of containers, published by translation: judged where they are forwarded, by the port that was called. */
import { HOST_ADDRESSES, requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';
import { createHostPoint, createNetfilter, createToolRun } from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';

requireHosts(t);
t.jobs = 2;

const PUBLISHED = 5432;
const CONTAINER_PORT = 80;
const { inet, inet6 } = HOST_ADDRESSES;
const callers = ['10.1.0.5', '203.0.113.9', '2001:db8:1::5', '2001:db8:bad::9'];

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`a published port is judged by the port that was called (${backend})`, async (t) => {
    const host = await startHost(t);
    await host.publish(backend, PUBLISHED, CONTAINER_PORT);
    const flows = callers.map((from) => ({ from, to: from.includes(':') ? inet6 : inet, port: `tcp/${PUBLISHED}` }));
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    const open = (publishedPorts: boolean): ReturnType<typeof createHostPoint> =>
      closedWith(t, createHostPoint({ name: 'host-db', options: { ...HOST_OPTIONS, publishedPorts }, netfilter }));
    const allow = ['10.1.0.0/16', '2001:db8:1::/48'];
    const passes = ['refused', 'refused', 'refused', 'refused'];
    t.strictSame(await host.call(flows), passes, 'without a policy the container answers everyone');
    await open(false).apply(hostPolicy({ revision: 1, allow }));
    t.strictSame(await host.call(flows), passes, 'INPUT alone does not see what is forwarded');
    await open(true).apply(hostPolicy({ revision: 2, allow }));
    t.strictSame(await host.call(flows), ['refused', 'silent', 'refused', 'silent'], 'FORWARD does');
    await open(true).apply(hostPolicy({ revision: 3, allow: ['192.0.2.1'] }));
    t.strictSame(await host.call(flows), ['silent', 'silent', 'silent', 'silent'], 'and what is revoked is');
  });
}
