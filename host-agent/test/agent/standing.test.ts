/** What is told of the policy that stands, when somebody else put it there again. */
import type { CompiledPolicy } from '@edgeward/policy';
import { requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';
import { createHostPoint, createNetfilter, createToolRun } from '../../driver/index.ts';
import { readInForce } from '../../src/in-force.ts';
import type { Denials, Guard } from '../../src/parts.ts';
import { createStanding } from '../../src/standing.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

requireHosts(t);

const sampledOf = ({ hash }: { hash: string }): string => hash.slice(0, 8);

interface Told {
  generation: number;
  sampled: string;
}

/** Everyone who is told, told of nothing yet. */
function listeners(): { parts: { guard: Guard; denials: Denials }; told: Told[]; kept: (CompiledPolicy | null)[] } {
  const [told, kept]: [Told[], (CompiledPolicy | null)[]] = [[], []];
  const denials: Pick<Denials, 'policyComing' | 'policyApplied'> = {
    policyComing: async () => {},
    policyApplied: (_policy, generation, sampled) => void told.push({ generation, sampled }),
  };
  const guard: Pick<Guard, 'pause' | 'policyApplied'> = {
    pause: () => {},
    policyApplied: (policy) => void kept.push(policy),
  };
  return { parts: { guard: guard as Guard, denials: denials as Denials }, told, kept };
}

t.test('after a repair its rules are told, and what samples carry since', async (t) => {
  const host = await startHost(t);
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
  t.teardown(point.close);
  const standing = createStanding({ point, netfilter });
  const { parts, told } = listeners();
  standing.tell(parts);
  const one = hostPolicy({ revision: 1, allow: ['10.1.0.0/16', '10.3.0.0/16'] });
  const two = hostPolicy({ revision: 2, allow: ['10.1.0.0/16', '10.3.0.0/16', '10.5.0.0/16'] });
  await standing.put(one, 0);
  await standing.put(two, 0);
  const before = { rules: standing.rules(), ...told.at(-1) };
  t.equal(before.sampled, sampledOf(one), 'members alone came');
  await host.run('iptables-nft', '-F', 'EW-SAFE');
  t.ok((await point.checkRules(true)).length > 0, 'it is seen');
  await point.apply(two);
  const inForce = await readInForce(netfilter);
  t.not(inForce?.rules, before.rules, 'the repair has other rules');
  await standing.repaired();
  t.equal(standing.rules(), inForce?.rules, 'they are reported');
  t.strictSame(told.at(-1), { generation: inForce?.generation, sampled: sampledOf(two) }, 'and denials know of them');
  const count = told.length;
  await standing.settle();
  t.equal(told.length, count, 'once');
});

t.test('what was applied stands, and is kept by the guard, also where it could not be read afterwards', async (t) => {
  const host = await startHost(t);
  const [there, away] = [createToolRun({ where: host.where }), createToolRun({ where: ['/nowhere/to-be-found'] })];
  let isAway = false;
  const netfilter = createNetfilter('nft', there);
  const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
  t.teardown(point.close);
  const reading = createNetfilter('nft', (call) => (isAway ? away(call) : there(call)));
  const standing = createStanding({ point, netfilter: reading });
  const { parts, told, kept } = listeners();
  standing.tell(parts);
  const one = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
  const back = hostPolicy({ revision: 1, allow: ['10.3.0.0/16'], mode: 'observe' });
  await standing.put(one, 2);
  isAway = true;
  t.equal(await standing.put(back, 2), true, 'it was written');
  t.equal(standing.policy()?.hash, back.hash);
  t.match(kept.at(-1), { revision: 2, hash: back.hash }, 'the guard would repair to it');
  t.equal(standing.rules(), null, 'of its rules nothing is claimed');
  await standing.settle();
  t.equal(standing.rules(), null);
  isAway = false;
  await standing.settle();
  const inForce = await readInForce(netfilter);
  t.equal(inForce?.hash, back.hash);
  t.equal(standing.rules(), inForce?.rules, 'they are read when that is possible');
  t.strictSame(told.at(-1), { generation: inForce?.generation, sampled: sampledOf(back) });
});
