/** Which kinds of point can carry a vector: computed from its object, never written by hand. */
import type { Vector } from '../../policy/test/vector-files.ts';

export interface VectorGroup {
  policy: unknown[];
  now: string;
  vectors: Vector[];
}

interface Loose {
  kind: string;
  name: string;
  point?: string;
  protocol?: string;
}

export type Carrier = 'nginx' | 'nginx stream' | 'BIG-IP' | 'host' | 'node';

/** Every kind of point at which this vector's object can stand. An object that is nowhere is unknown everywhere. */
export function carriersOf(vector: Vector): Carrier[] {
  const object = objectOf(vector);
  if (object === undefined) return ['node', 'nginx', 'nginx stream', 'BIG-IP', 'host'];
  if (object.kind === 'Workload') return ['node', 'host'];
  const udp = vector.connection.port.startsWith('udp/');
  if (object.protocol === 'tcp') return ['node', 'nginx stream', 'BIG-IP'];
  return udp ? ['node'] : ['node', 'nginx', 'BIG-IP'];
}

/** The point that the vector's object stands at; for an unknown object the first there is. */
export function pointOf(vector: Vector): string {
  const front = (vector.policy as Loose[]).find(({ kind }) => kind === 'VirtualServer');
  return objectOf(vector)?.point ?? front?.point ?? 'edge-1';
}

/** Vectors of one policy at one instant stand together, so that it is pushed once. */
export function groupsOf(vectors: Vector[]): VectorGroup[] {
  const groups = new Map<string, VectorGroup>();
  for (const vector of vectors) {
    const { policy, now } = vector;
    const key = JSON.stringify([policy, now, pointOf(vector)]);
    const group = groups.get(key) ?? { policy, now, vectors: [] };
    group.vectors.push(vector);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function objectOf({ policy, connection }: Vector): Loose | undefined {
  return (policy as Loose[]).find(
    ({ kind, name, point }) =>
      name === connection.to && (kind === 'VirtualServer' || (kind === 'Workload' && point !== undefined)),
  );
}
