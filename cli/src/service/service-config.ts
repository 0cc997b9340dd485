/** Where the sync service listens and what it wants to be shown, from its own configuration file. */
import { loadServiceConfig } from '@edgeward/sync-service';

export interface ServicePlace {
  host: string;
  port: number;
  tokenFile: string;
}

/** Throws EDW_ERR_CONFIG, EDW_ERR_CONFIG_FILE. */
export async function findService(
  file: string | undefined,
  env: Record<string, string | undefined>,
): Promise<ServicePlace> {
  const { api } = await loadServiceConfig({ file, env });
  // In a URL an IPv6 address stands in brackets; where one connects to, it does not.
  return { host: api.host.replace(/^\[(.*)\]$/, '$1'), port: api.port, tokenFile: api.tokenFile };
}
