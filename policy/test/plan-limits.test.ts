/** How large what a point receives is, and whether the device behind it can take it. */
import type { CompiledPolicy } from '@edgeward/policy';
import t from 'tap';
import { limitFindings } from '../src/plan-limits.ts';
import { sizeOfPoint } from '../src/plan-size.ts';
import { host, network, policy, rule, server, workload } from './cases/case.ts';
import { soundSide } from './flow-sides.ts';

t.test('a point is measured as it is compiled', async (t) => {
  const documents = [
    workload({ name: 'crm-4', addresses: ['10.30.1.4'] }),
    workload({ name: 'crm-6', addresses: ['10.30.1.6'] }),
    network(),
    server(),
    policy(rule({ from: [{ workloads: "app == 'crm'" }, { network: 'branches' }], http: [{ path: '/straße/*' }] })),
    server({ name: 'b', bind: 'b', trustedProxies: ['10.0.0.1/32'] }),
    { ...(host() as object), point: 'edge-1' },
    { kind: 'Point', name: 'edge-1', management: ['10.99.0.0/24'] },
  ];
  const { resolution, policies } = soundSide(documents);
  const [compiled] = policies as [CompiledPolicy];
  t.strictSame(sizeOfPoint(resolution, compiled), {
    objects: 3,
    rules: 1,
    groups: 2,
    members: 2,
    bytes: Buffer.byteLength(JSON.stringify(compiled)),
  });
  t.strictSame(limitFindings(compiled), []);
});

t.test('a policy that is larger than its device is told', async (t) => {
  const scattered = Array.from({ length: 1_400 }, (_, i) =>
    workload({
      name: `w-${i}`,
      addresses: Array.from({ length: 40 }, (_, k) => `10.${i >> 4}.${(i & 15) * 16 + (k >> 3)}.${(k & 7) * 16}`),
    }),
  );
  const found = (documents: unknown[]): string[] =>
    soundSide([...scattered, ...documents]).policies.flatMap((it) =>
      limitFindings(it).map(({ limit, object, needed, limitedTo }) => `${limit} ${object} ${needed > limitedTo}`),
    );
  const from = [{ workloads: "app == 'crm'" }];
  t.strictSame(found([server({ bind: '/Common/front' }), policy(rule({ from }))]), ['bigip-records front true']);
  t.strictSame(found([host(), policy(rule({ from, to: "app == 'db'", ports: ['tcp/1-5'] }))]), [
    'host-pairs db-1 true',
  ]);
  const many = Array.from({ length: 12 }, (_, i) => server({ name: `s-${i}`, bind: `s-${i}` }));
  t.strictSame(found([...many, policy(rule({ from }))]), ['nginx-zone null true']);
  t.strictSame(found([server(), policy(rule({ from }))]), []);
});
