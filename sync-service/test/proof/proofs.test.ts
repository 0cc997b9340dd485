/** Objects that nothing synthetic is sent to are said to be unproven, in the status and where Prometheus reads. */
import { createLogger, createMetrics } from '@edgeward/runtime';
import { compileDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { openProofs } from '../../src/proof/proofs.ts';

t.test('an object of a BIG-IP or a host has a series, and is unproven in it; one that is off has none', async (t) => {
  const registry = createMetrics();
  const proofs = await openProofs({ stateDir: t.testdir(), registry, logger: createLogger({ level: 'silent' }) });
  t.teardown(() => proofs.close());
  const server = (name: string, mode: string): object => {
    return {
      kind: 'VirtualServer',
      name,
      labels: { app: 'a' },
      point: 'dc1',
      ports: ['tcp/443'],
      bind: `/Common/${name}`,
      mode,
    };
  };
  const documents = [server('orders', 'enforce'), server('reports', 'observe'), server('old', 'off')];
  const policy = compileDocuments(documents, { revision: 1, now: '2026-11-23T00:00:00.000Z', point: 'dc1' });
  proofs.remember(policy);
  const series = (await registry.metrics()).split('\n').filter((line) => line.startsWith('edgeward_proof_state{'));
  const stated = series.filter((line) => line.endsWith(' 1'));
  t.strictSame(stated, [
    'edgeward_proof_state{point="dc1",object="orders",state="unproven"} 1',
    'edgeward_proof_state{point="dc1",object="reports",state="unproven"} 1',
  ]);
  const told = proofs.of('dc1', 'bigip', policy.objects);
  t.strictSame(
    told.map(({ object, state }) => [object, state]),
    [
      ['orders', 'unproven'],
      ['reports', 'unproven'],
    ],
  );
});
