import { join } from 'node:path';
import type { NginxPoint } from '@edgeward/nginx-njs';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Logger, type Registry, systemClock } from '@edgeward/runtime';
import type { PointConfig } from '../config.ts';
import type { ObjectProof } from './object-proof.ts';
import { proofMetrics } from './proof-metrics.ts';
import { readProofs, writeProofs } from './proof-record.ts';
import { createProver, type Prover } from './prover.ts';

/**
 * Proofs of every object that is served here. An NGINX with njs is proved; nothing synthetic goes through a BIG-IP or
 * to a host, so their objects are said to be unproven, and why.
 */
export interface Proofs {
  /** Objects of this NGINX are proved from now on. */
  add(config: Pick<PointConfig, 'push' | 'proof'>, point: NginxPoint, applied: () => string | null): void;
  /** What its point is to hold. */
  remember(policy: CompiledPolicy): void;
  /** Of objects of this point that are not off. */
  of(point: string, kind: PointKind, objects: readonly Provable[]): ObjectProof[];
  start(): void;
  close(): Promise<void>;
}

type PointKind = 'nginx' | 'bigip' | 'host';

interface Provable {
  name: string;
  mode: 'enforce' | 'observe' | 'off';
}

export interface ProofsOptions {
  stateDir: string;
  registry: Registry;
  logger: Logger;
}

const WITHOUT: Record<PointKind, string> = {
  nginx: 'off: an NGINX in reload mode takes none',
  bigip: 'nothing synthetic is sent through a BIG-IP',
  host: 'nothing synthetic is sent to a host',
};

export async function openProofs({ stateDir, registry, logger }: ProofsOptions): Promise<Proofs> {
  const file = join(stateDir, 'proofs.json');
  const before = await readProofs(file, logger);
  const provers = new Map<string, Prover>();
  /** Of points that are not proved, by their names. */
  const unproved = new Map<string, ObjectProof[]>();
  const scraped = () => [
    ...[...provers.values()].map((it) => ({ point: it.point, proofs: it.proofs() })),
    ...[...unproved].map(([point, proofs]) => ({ point, proofs })),
  ];
  const metrics = proofMetrics(registry, scraped);
  let writing: Promise<void> = Promise.resolve();
  const save = (): void => {
    const points = Object.fromEntries([...provers].map(([name, it]) => [name, it.lasting()]));
    writing = writing.then(() => writeProofs(file, points, logger));
  };

  return {
    add({ push, proof: config }, point, applied) {
      const prover = createProver({
        ...{ point, push, config, applied, logger, clock: systemClock },
        lasting: before[point.name] ?? {},
        failed: (object, kind) => metrics.failed(point.name, object, kind),
        told: save,
      });
      provers.set(point.name, prover);
    },
    remember(policy) {
      const prover = provers.get(policy.point);
      if (prover !== undefined) return prover.remember(policy);
      const objects = policy.objects.filter(({ mode }) => mode !== 'off');
      unproved.set(
        policy.point,
        objects.map(({ name }) => unproven(name, 'its kind of point is not proved')),
      );
    },
    of(point, kind, objects) {
      const known = new Map(
        provers
          .get(point)
          ?.proofs()
          .map((proof) => [proof.object, proof]),
      );
      const why = provers.has(point) ? 'not asked yet' : WITHOUT[kind];
      return objects.filter(({ mode }) => mode !== 'off').map(({ name }) => known.get(name) ?? unproven(name, why));
    },
    start() {
      for (const prover of provers.values()) prover.start();
    },
    async close() {
      await Promise.all([...provers.values()].map((it) => it.close()));
      await writing;
    },
  };
}

function unproven(object: string, why: string): ObjectProof {
  return { object, state: 'unproven', why, kind: null, flows: [], provenAtMs: null, revision: null };
}
