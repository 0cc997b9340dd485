/** Three nodes, and a file of credentials for whoever talks to them. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { natsAccounts } from '@edgeward/policy-feed';
import { type NatsCluster, startNatsCluster, type Teardown } from '@edgeward/test/kit';
import { points } from './estate.ts';

export interface NatsPart {
  cluster: NatsCluster;
  servers: readonly string[];
  credentialsFile(user: string): string;
}

/** The first of these is the store's, the others are of services with all points. */
export async function startNats(t: Teardown, folder: string, users: readonly string[]): Promise<NatsPart> {
  const logins = users.map((user) => ({ user, password: randomBytes(12).toString('hex') }));
  const [store, ...sites] = logins;
  if (store === undefined) throw new RangeError('NATS without a user');
  const configuration = natsAccounts({ store, points: sites.map((login) => ({ login, points })) });
  const credentialsFile = (user: string): string => join(folder, `nats-${user}`);
  for (const { user, password } of logins)
    await writeFile(credentialsFile(user), `${user}:${password}\n`, { mode: 0o600 });
  const cluster = await startNatsCluster({ nodes: 3, configuration });
  t.teardown(() => cluster.close());
  return { cluster, servers: cluster.servers, credentialsFile };
}
