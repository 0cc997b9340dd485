import { type Actual, type Applied, revisionOlder } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import type { PushedZone } from './pushed-zone.ts';

/**
 * The zones of the http and of the stream module as one: what one NGINX holds. It holds a revision when both do. Where one
 * fails the other is written all the same, because a policy that takes something away must not wait for it; what failed is
 * thrown afterwards.
 */
export type JoinedZones = Pick<PushedZone, 'inspect' | 'apply' | 'probe' | 'close'>;

export function joinZones(point: string, http: PushedZone, stream: PushedZone): JoinedZones {
  return {
    inspect: async () => {
      const [one, other] = await Promise.allSettled([http.inspect(), stream.inspect()]);
      if (one.status === 'rejected' && other.status === 'rejected') throw one.reason;
      // To be filled whatever is done about drift; who is away is then told by the push.
      if (one.status === 'rejected' || other.status === 'rejected') return { state: 'empty' };
      return joined(one.value, other.value);
    },
    apply: async (desired) => {
      await refuseOlder(point, desired, [http, stream]);
      const first = await settled(http.apply(desired));
      const second = await settled(stream.apply(ofStream(desired)));
      return summed(fulfilled(first), fulfilled(second));
    },
    probe: async () => (await Promise.all([http.probe(), stream.probe()])).join(' '),
    close: async () => {
      await Promise.all([http.close(), stream.close()]);
    },
  };
}

/** What one zone holds the other must not fall behind, also where it is empty. Who is away is told by the push. */
async function refuseOlder(point: string, desired: CompiledPolicy, zones: readonly PushedZone[]): Promise<void> {
  const found = await Promise.allSettled(zones.map((zone) => zone.held()));
  const held = Math.max(...found.map((it) => (it.status === 'fulfilled' ? it.value : 0)));
  if (held > desired.revision) throw revisionOlder(point, desired.revision, held);
}

/** Connections are judged for objects of `protocol: tcp` alone. The hash stays: it names the whole policy of this NGINX. */
export function ofStream(policy: CompiledPolicy): CompiledPolicy {
  return { ...policy, objects: policy.objects.filter(({ protocol }) => protocol === 'tcp') };
}

function joined(http: Actual, stream: Actual): Actual {
  if (http.state === 'empty' || stream.state === 'empty') return { state: 'empty' };
  const drift = [...http.drift, ...stream.drift.map((words) => `stream: ${words}`)];
  const unfinished = [...http.unfinished, ...stream.unfinished];
  if (http.hash === stream.hash && http.revision === stream.revision) return { ...http, drift, unfinished };
  const [held, ahead, name] =
    http.revision < stream.revision ? [http, stream, 'edgeward_stream'] : [stream, http, 'edgeward'];
  return { ...held, drift, unfinished: [...unfinished, `zone ${name} alone holds revision ${ahead.revision}`] };
}

function summed(one: Applied, other: Applied): Applied {
  return { revision: one.revision, writes: one.writes + other.writes, bytes: one.bytes + other.bytes };
}

function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  return Promise.allSettled([promise]).then(([result]) => result);
}

function fulfilled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}
