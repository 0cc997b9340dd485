import type { Finding } from '@edgeward/policy';
import type { PolicyStatus } from './policy-in-force.ts';
import type { PointReport } from './status-api.ts';

/** The first line of `edgeward status`: whether anything is enforced, and if not, what to do. */
export function headlineOf(
  policy: Pick<PolicyStatus, 'state' | 'errors' | 'held'>,
  points: PointReport[],
  store: string | null,
): string {
  if (points.length === 0)
    return 'NOT ENFORCING: no point is configured; name your NGINX under `points`, your BIG-IP under `bigips`, your hosts under `hosts` in edgeward.yaml.';
  if (policy.state === 'none') return `NOT ENFORCING: ${causeOf(policy.errors[0], store)}`;
  const away = points.filter((point) => point.appliedRevision === null).map((point) => point.point);
  if (away.length === points.length)
    return `NOT ENFORCING: no point holds a policy (${away.join(', ')}); see the errors below.`;
  const holding = points.filter((point) => point.appliedRevision !== null);
  const sum = (mode: 'enforce' | 'observe' | 'off'): number =>
    holding.reduce((total, point) => total + point.objects[mode], 0);
  const parts = [`ENFORCING ${count(sum('enforce'))}`];
  if (sum('observe') > 0) parts.push(`OBSERVING ${count(sum('observe'))}`);
  if (sum('off') > 0) parts.push(`${count(sum('off'))} off`);
  if (away.length > 0) parts.push(`NOT ENFORCING at ${away.join(', ')}`);
  const unprotected = holding.flatMap((point) => point.unprotected);
  if (unprotected.length > 0) parts.push(`NOT PROTECTED: ${unprotected.join(', ')}`);
  const failed = points.flatMap(({ proofs }) => proofs.filter(({ state }) => state === 'failed'));
  if (failed.length > 0) parts.push(`PROOF FAILED: ${failed.map(({ object }) => object).join(', ')}`);
  const unreachable = holding.filter((point) => point.state === 'unreachable').map((point) => point.point);
  if (unreachable.length > 0) parts.push(`UNREACHABLE: ${unreachable.join(', ')} (keeps what it had)`);
  const open = points.filter((point) => point.store !== null && point.store.breakGlass !== null);
  if (open.length > 0) parts.push(`BREAK-GLASS at ${open.map((point) => point.point).join(', ')}`);
  if (policy.held !== null) parts.push('a revision is HELD');
  if (policy.state === 'last-known-good') parts.push('on the last-known-good policy');
  return parts.join(', ');
}

function count(objects: number): string {
  return `${objects} ${objects === 1 ? 'object' : 'objects'}`;
}

function causeOf(first: Finding | undefined, store: string | null): string {
  if (store !== null)
    return first === undefined ? `nothing was heard from ${store} yet.` : `${store}: ${first.message}.`;
  const cause = first === undefined ? 'no policy was read yet' : `${first.file}:${first.line}: ${first.message}`;
  return `${cause}; \`edgeward check\` lists every error.`;
}
