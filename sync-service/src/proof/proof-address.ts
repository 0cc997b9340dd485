import type { ProofAddress } from '@edgeward/nginx-njs';
import type { CompiledObject } from '@edgeward/policy';
import type { ProofConfig } from './proof-schema.ts';

/**
 * Where an object is proved: where the configuration says, else on the first TCP port of the object at the host that its
 * point is pushed to. The second is a guess: behind it may be another server, so that only a proof that succeeded there once
 * makes a later failure mean anything.
 */
export type ProofPlace =
  | { state: 'given' | 'guessed'; at: ProofAddress }
  /** In words. */
  | { state: 'none'; why: string };

const TLS_PORTS = new Set([443, 8443]);

const CONNECTIONS = 'protocol: tcp, and a connection carries no question';

export function proofPlace(config: ProofConfig, push: string, object: CompiledObject): ProofPlace {
  const own = config.objects[object.name];
  if (config.mode === 'off' || own?.mode === 'off') return { state: 'none', why: 'off, as edgeward.yaml says' };
  const { url, host, caFile } = own ?? {};
  const more = { ...(host == null ? {} : { host }), ...(caFile == null ? {} : { caFile }) };
  if (url != null) return { state: 'given', at: { url, ...more } };
  // One that an http server is, whose address is named, can be asked like any other.
  if (object.protocol === 'tcp') return { state: 'none', why: CONNECTIONS };
  const port = object.ports.find(({ protocol }) => protocol === 'tcp')?.from;
  if (port === undefined) return { state: 'none', why: 'it has no TCP port' };
  const { hostname } = new URL(push);
  const guess = `${TLS_PORTS.has(port) ? 'https' : 'http'}://${hostname}:${port}`;
  return { state: 'guessed', at: { url: guess, ...more } };
}
