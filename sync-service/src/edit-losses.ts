import { type KnownLoss, lostFlows, nextChangeMs, type ObjectLoss, type Resolution } from '@edgeward/policy';
import { type Builder, jsonOf, type ReadyBuild } from './policy-build.ts';

/**
 * What an edit takes away from the objects of the points served here. Both sides are judged at the same instant, so that
 * what time ended is nobody's loss. A single workload that went or changed is never counted.
 */
export function lossesOf(before: ReadyBuild, after: ReadyBuild, builder: Builder, nowMs: number): ObjectLoss[] {
  const moved = movedWorkloads(before, after);
  const serversMoved = servers(before).join() !== servers(after).join();
  if (before.policyHash === after.policyHash && moved.size <= 1 && !serversMoved) return [];
  const atNow = nothingEnded(before.resolution, nowMs)
    ? before
    : builder.build(before.documents, [], nowMs, before.policyHash);
  if (atNow.state === 'refused') return [];
  const known: KnownLoss[] = [];
  const isMoved = (name: string): boolean => moved.has(name);
  return [...atNow.policies].flatMap(([point, policy]) =>
    lostFlows(atNow.resolution, policy.objects, after.policies.get(point)?.objects ?? [], isMoved, known),
  );
}

/** Between its own instant and this one, so that it is what would be resolved now; a clock that was set back is not asked. */
function nothingEnded({ model, nowMs: resolvedAtMs }: Resolution, nowMs: number): boolean {
  const next = nextChangeMs(model, resolvedAtMs);
  return nowMs >= resolvedAtMs && (next === null || next > nowMs);
}

/** Names of workloads that went or changed. After a restart every workload is another object, so content decides. */
function movedWorkloads(before: ReadyBuild, after: ReadyBuild): Set<string> {
  const [was, is] = [before.resolution.workloads, after.resolution.workloads];
  // An edit leaves most of 100,000 in their place; only what differs there is looked up by name.
  const others = new Map(is.filter((workload, i) => workload !== was[i]).map((workload) => [workload.name, workload]));
  const moved = was.filter((workload, i) => {
    if (workload === is[i]) return false;
    const now = others.get(workload.name);
    return now !== workload && (now === undefined || JSON.stringify(now) !== JSON.stringify(workload));
  });
  return new Set(moved.map((workload) => workload.name));
}

/** Every virtual server as it is written; few, next to workloads. */
function servers(build: ReadyBuild): string[] {
  return build.resolution.model.virtualServers.map((server) => jsonOf(server.document.value));
}
