/** What asking a real NGINX is, whether by requests or by connections: policies in, and for each flow the event that is its. */
import { open } from 'node:fs/promises';
import type { CompiledPolicy, Flow } from '@edgeward/policy';
import type { Denial, Edge, Teardown } from '@edgeward/test/kit';
import type { CarrierKind, Judged, JudgingNginx } from './nginx-carriers.ts';

/** What a client sees. */
export type Told = Pick<Judged, 'passed' | 'status' | 'ref'>;

export async function judgingWith(
  t: Teardown,
  edge: Edge,
  mode: CarrierKind['mode'],
  ask: (flow: Flow, bind: string) => Promise<Told>,
): Promise<JudgingNginx> {
  const policies = policiesInto(edge, mode);
  const events = await newEvents(t, edge.paths.denyLog);
  return {
    ...policies,
    nginxVersion: edge.binary.nginxVersion,
    judge: async (flow) => {
      const told = await ask(flow, policies.bindOf(flow.to));
      const [event = null, ...more] = await events();
      if (more.length > 0) throw new Error(`one flow left ${more.length + 1} events`);
      return { ...told, event, refusedByServer: event === null && (told.status ?? 0) >= 400 };
    },
  };
}

interface Policies extends Pick<JudgingNginx, 'load' | 'counted'> {
  bindOf(name: string): string;
}

function policiesInto(edge: Edge, mode: CarrierKind['mode']): Policies {
  const { point, load } = mode === 'hybrid' ? bySnapshot(edge) : byPush(edge);
  let revision = 0;
  let totals: Record<string, number> = {};
  let binds: Record<string, string> = {};
  return {
    load: async (policy) => {
      revision += 1;
      binds = Object.fromEntries(policy.objects.map((object) => [object.name, object.bind]));
      await load({ ...policy, revision });
      return revision;
    },
    bindOf: (name) => (Object.hasOwn(binds, name) ? binds[name] : undefined) ?? name,
    counted: async () => {
      const before = totals;
      const { counts } = await point.counts();
      totals = Object.fromEntries(counts.map((one) => [`${one.bind} ${one.verdict} ${one.reason}`, one.total]));
      const moved = Object.entries(totals).map(([key, total]) => [key, total - (before[key] ?? 0)] as const);
      return Object.fromEntries(moved.filter(([, difference]) => difference !== 0));
    },
  };
}

type Loading = { point: Pick<ReturnType<Edge['point']>, 'counts'>; load(policy: CompiledPolicy): Promise<void> };

function byPush(edge: Edge): Loading {
  const point = edge.point({ collectAfterMs: 20 });
  return { point, load: async (policy) => void (await point.apply(policy)) };
}

/** All that it can say is said by the snapshot, and the rest by the module. */
function bySnapshot(edge: Edge): Loading {
  const point = edge.hybrid({ collectAfterMs: 20 });
  const load = async (policy: CompiledPolicy): Promise<void> => {
    await point.apply(policy);
    await point.takeSnapshot();
  };
  return { point, load };
}

/** Reads what was appended to the deny log since the last call. */
async function newEvents(t: Teardown, file: string): Promise<() => Promise<Denial[]>> {
  // Made here where no denial came yet; NGINX only appends to it.
  const handle = await open(file, 'a+');
  t.teardown(() => handle.close());
  let at = 0;
  return async () => {
    const { size } = await handle.stat();
    if (size === at) return [];
    const bytes = Buffer.alloc(size - at);
    await handle.read(bytes, 0, bytes.length, at);
    at = size;
    const lines = bytes.toString('utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Denial);
  };
}
