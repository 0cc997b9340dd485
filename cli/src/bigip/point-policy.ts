/** The policy of one point as the sync service would push it now: what it refuses is refused here, and told. */
import {
  type CompiledPolicy,
  compileFault,
  compilePoint,
  type Finding,
  pointViews,
  runPolicyTests,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import type { ServiceConfig } from '@edgeward/sync-service';
import type { Context } from '../frame/command.ts';
import { type PolicyReading, readPolicy } from '../policy/policy-reading.ts';
import { isRefused } from '../policy/sound-policy.ts';

export interface PointPolicy {
  reading: PolicyReading;
  /** Of revision 0. */
  policy: CompiledPolicy;
}

/** null: the policy has errors and they have been printed; the command ends with 3. */
export async function readPointPolicy(
  context: Context,
  config: Pick<ServiceConfig, 'policies'>,
  point: string,
): Promise<PointPolicy | null> {
  const reading = await readPolicy(context, config.policies);
  if (await isRefused(context, reading)) return null;
  const { resolution } = reading;
  try {
    const policy = compilePoint(resolution, point, { revision: 0, digest: sha256Hex });
    const { findings } = runPolicyTests(resolution, pointViews(resolution, sha256Hex), false);
    const failed = findings.filter(({ severity }) => severity === 'error');
    return (await isRefused(context, withErrors(reading, failed))) ? null : { reading, policy };
  } catch (thrown) {
    const fault = compileFault(thrown);
    if (fault === null) throw thrown;
    await isRefused(context, withErrors(reading, [fault]));
    return null;
  }
}

function withErrors(reading: PolicyReading, errors: Finding[]): PolicyReading {
  return { ...reading, findings: [...reading.findings, ...errors], errors: errors.length };
}
