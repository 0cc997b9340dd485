import { readFile } from 'node:fs/promises';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { BigipConfig } from './config.ts';

/** What a client of a configured BIG-IP connects with. The password is read by the client, when it logs in. */
export interface BigipAccess {
  urls: string[];
  user: string;
  passwordFile: string;
  /** PEM; without it the authorities of the system vouch for the boxes. */
  ca?: string;
}

/** Throws EDW_ERR_CA_FILE. */
export async function bigipAccess({ name, urls, user, passwordFile, caFile }: BigipConfig): Promise<BigipAccess> {
  return { urls, user, passwordFile, ...(caFile !== null && { ca: await readAuthority(name, caFile) }) };
}

/** Throws EDW_ERR_CA_FILE. */
async function readAuthority(point: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_CA_FILE', `reading the authority of ${point}, ${file}: ${messageOf(cause)}`, {
      mend: 'Put the PEM certificate of the authority that signed the management certificate there, or name it as `caFile`.',
      cause,
    });
  }
}
