/** The vectors that a host carries, through a network namespace; IPv4 as they stand, and once more in IPv6's clothes. */
import type { Backend } from '@edgeward/host-agent';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments } from '@edgeward/test/kit';
import type { Test } from 'tap';
import { type Vector, vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { startJudgingHost } from './judging-host.ts';
import { carriersOf, groupsOf, pointOf } from './vector-carriers.ts';

export interface HostVectors {
  carried: Vector[];
  /** Of an object that stands nowhere: a host is its own object, so there is nothing to connect to. */
  nowhere: Vector[];
}

export function hostVectors(): HostVectors {
  const all = vectorFiles.flatMap(vectorsOf).filter((vector) => carriersOf(vector).includes('host'));
  const stands = ({ policy, connection }: Vector): boolean =>
    (policy as { kind: string; name: string; point?: string }[]).some(
      ({ kind, name, point }) => kind === 'Workload' && name === connection.to && point !== undefined,
    );
  return { carried: all.filter(stands), nowhere: all.filter((vector) => !stands(vector)) };
}

/** Hosts that judge at the same time: what is not answered takes its time. */
const HOSTS = 2;

/** Each group of vectors is one policy; its flows are tried at once. */
export async function proveVectors(t: Test, backend: Backend, vectors: Vector[]): Promise<number> {
  const groups = groupsOf(vectors);
  const ran = await Promise.all(
    Array.from({ length: HOSTS }, (_, lane) =>
      proveGroups(
        t,
        backend,
        groups.filter((_, index) => index % HOSTS === lane),
      ),
    ),
  );
  return ran.reduce((total, count) => total + count, 0);
}

async function proveGroups(t: Test, backend: Backend, groups: ReturnType<typeof groupsOf>): Promise<number> {
  const judging = await startJudgingHost(t, backend);
  let ran = 0;
  for (const { policy, now, vectors: group } of groups) {
    const point = pointOf(group[0] as Vector);
    const compiled = compileDocuments(policy, { revision: 1, now, point });
    await judging.load(compiled);
    const passed = await judging.judge(group.map(({ connection }) => withoutMapping(connection)));
    group.forEach((vector, index) => {
      t.equal(
        passed[index],
        passes(compiled, vector),
        `${vector.name}: ${vector.connection.from} ${vector.connection.port}`,
      );
      ran += 1;
    });
  }
  return ran;
}

/** A workload that is not there has nobody to enforce for it. */
function passes({ objects }: CompiledPolicy, { connection, expect }: Vector): boolean {
  const object = objects.find(({ name }) => name === connection.to);
  // Without somebody who can always get in, a host is observed.
  const enforced = object?.mode === 'enforce' && object.failsafe !== null;
  return !enforced || expect.verdict === 'allow';
}

/** `::ffff:10.1.0.1` is a way to write an IPv4 address; what comes over the wire is IPv4. */
function withoutMapping({ from, port }: { from: string; port: string }): { from: string; port: string } {
  return { from: from.replace(/^::ffff:(?=[0-9.]+$)/, ''), port };
}

/** Those that speak of IPv4 alone, every address as one below 2001:db8:f::/96: a policy says the same of both. */
export function inSix(vectors: Vector[]): Vector[] {
  const texts = vectors.map((vector) => JSON.stringify(vector)).filter((text) => !text.includes('::'));
  return texts.map(
    (text) => JSON.parse(text.replace(/\b(\d{1,3}(?:\.\d{1,3}){3})(?:\/(\d{1,2}))?\b/g, toSix)) as Vector,
  );
}

function toSix(_: string, address: string, length: string | undefined): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const low = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  return `2001:db8:f::${low}${length === undefined ? '' : `/${96 + Number(length)}`}`;
}
