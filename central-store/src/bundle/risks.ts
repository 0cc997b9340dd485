import type { Risk } from '@edgeward/policy-format';
import type { Bundle } from './bundle.ts';

export interface RiskFinding {
  risk: Risk;
  /** `rule crm-orders`, `network branch-offices` */
  where: string;
  message: string;
}

/** Every risk of a change with its place; when in doubt it is one. `before` null: everything is new. */
export function risksOf(_before: Bundle | null, _after: Bundle): RiskFinding[] {
  throw new Error('not yet');
}
