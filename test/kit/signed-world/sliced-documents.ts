/** Documents of the policy language → the rules documents of their points, as an author's machine makes them. */
import { type Finding, linkModel, type PointRules, slicePolicy } from '@edgeward/policy';
import { digestOf } from '@edgeward/policy-format';
import { asSource } from '../../../policy/test/compiled.ts';

export function sliceDocuments(documents: readonly unknown[]): PointRules[] {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings);
  const error = findings.find((finding) => finding.severity === 'error');
  if (error !== undefined) throw new Error(`document ${error.line}: ${error.code}: ${error.message}`);
  return slicePolicy(model, digestOf);
}

/** A point with one virtual server that the `crm` workloads may reach, inside `10.30.0.0/16` and no more than `max`. */
export function simpleSlices(
  points: readonly string[] = ['edge-1', 'edge-2'],
  more: { id?: string; max?: number } = {},
): PointRules[] {
  const { id = 'crm', max = 600 } = more;
  const servers = points.map((point) => ({
    kind: 'VirtualServer',
    name: `front-${point}`,
    labels: { app: 'shop' },
    point,
    bind: `front-${point}`,
    ports: ['tcp/443'],
    mode: 'enforce',
  }));
  const from = [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max }];
  const rules = [{ id, from, to: "app == 'shop'", ports: ['tcp/443'] }];
  return sliceDocuments([...servers, { kind: 'Policy', name: 'shop', rules }]);
}

/** The id of the group of `simpleSlices`. */
export function simpleGroup(): string {
  const group = simpleSlices(['edge-1'])[0]?.groups[0];
  if (group === undefined) throw new Error('the simple slice has lost its group');
  return group.id;
}
