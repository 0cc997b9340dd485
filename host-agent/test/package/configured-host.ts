/** What an agent knows after it was enrolled and has taken a policy over, as files: an identity, and last-known-good. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSigningKey } from '@edgeward/policy-format';
import { compileDocuments } from '@edgeward/test/kit';
import { testCertificates } from '../../../test/kit/certificates.ts';
import { signHostPolicy } from '../../protocol/index.ts';
import { NO_STATE } from '../../src/agent-state.ts';
import { openLastKnown } from '../../src/last-known.ts';

const POINT = 'host-db';
export const ALLOWED = ['10.40.1.1', 'fd00:40:1::1'] as const;
export const DENIED = ['10.40.2.1', 'fd00:40:2::1'] as const;

const DOCUMENTS = [
  { kind: 'Workload', name: 'db-1', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: POINT, mode: 'enforce' },
  { kind: 'Point', name: POINT, management: ['10.99.0.0/24'] },
  {
    kind: 'Policy',
    name: 'db',
    rules: [{ id: 'r0', from: ALLOWED.map((cidr) => ({ cidr })), to: "app == 'db'", ports: ['tcp/5432'] }],
  },
];

/** Written into `folder`, which then is a state folder. */
export async function writeConfiguredState(folder: string, certificates: string): Promise<void> {
  const policy = compileDocuments(DOCUMENTS, { revision: 7, point: POINT });
  const signingKey = await generateSigningKey();
  const { cert, key, ca } = await (await testCertificates(certificates)).point(POINT);
  const identity = {
    ...{ v: 1, point: POINT, key, certificate: cert, authority: ca },
    ...{ signingKeys: [signingKey.publicKey], service: ['https://10.99.0.1:7443'] },
  };
  await writeFile(join(folder, 'identity.json'), JSON.stringify(identity), { mode: 0o600 });
  const keys = (): (typeof signingKey.publicKey)[] => [signingKey.publicKey];
  const known = await openLastKnown({
    stateDir: folder,
    aud: POINT,
    keys,
    onDamage: (words) => {
      throw new Error(words);
    },
  });
  const ref = { revision: policy.revision, hash: policy.hash };
  await known.keep(ref, await signHostPolicy(policy, '2026-11-22T00:00:00.000Z', signingKey));
  await known.switchTo({ ...NO_STATE, floor: ref, current: ref });
}
