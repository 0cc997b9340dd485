import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  createFileTransport,
  createHttpsTransport,
  createNatsTransport,
  readNatsCredentials,
  type Transport,
} from '@edgeward/policy-feed';
import { type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import { EdgewardError, type Logger, messageOf, readSecret } from '@edgeward/runtime';
import type { StoreConfig } from '../config.ts';
import { renewIdentity } from './identity-renewal.ts';

/**
 * The way to the store that the configuration names. Over HTTPS its certificate files are read again when they change, until
 * it is closed. Throws EDW_ERR_CONFIG, and what the transports throw.
 */
export async function openTransport(
  config: StoreConfig,
  points: readonly string[],
  logger: Logger,
): Promise<Transport> {
  const [url = ''] = config.urls;
  const { protocol } = new URL(url);
  if (protocol === 'file:') return createFileTransport({ folder: fileURLToPath(url) });
  if (protocol === 'https:') {
    const read = async () => ({ ca: await readText(config.caFile, 'caFile'), ...(await ownCertificate(config)) });
    const tls = await read();
    const transport = createHttpsTransport({ url, mirrors: config.mirrors, tls, logger });
    const renewal = renewIdentity({ transport, held: tls, read, logger });
    return {
      ...transport,
      close() {
        renewal.close();
        return transport.close();
      },
    };
  }
  return createNatsTransport({
    urls: config.urls,
    credentials: await readNatsCredentials(config.credentialsFile ?? ''),
    tls: {
      ...(config.caFile !== null && { ca: await readText(config.caFile, 'caFile') }),
      ...(config.certFile !== null && (await ownCertificate(config))),
    },
    points,
    logger,
  });
}

async function ownCertificate({ certFile, keyFile }: StoreConfig): Promise<{ cert: string; key: string }> {
  return { cert: await readText(certFile, 'certFile'), key: `${await readSecret(keyFile ?? '')}\n` };
}

/** Pinned by hand: whatever comes later is believed because of it. */
export async function readPinnedRoot(config: StoreConfig): Promise<SignedDocument> {
  const text = await readText(config.rootFile, 'rootFile');
  try {
    return signedDocumentOf(JSON.parse(text));
  } catch (cause) {
    throw unusable('rootFile', config.rootFile, messageOf(cause), cause);
  }
}

async function readText(file: string | null, key: string): Promise<string> {
  try {
    return await readFile(file ?? '', 'utf8');
  } catch (cause) {
    throw unusable(key, file ?? '', messageOf(cause), cause);
  }
}

function unusable(key: string, file: string, why: string, cause: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_CONFIG', `store.${key}: reading ${file}: ${why}`, {
    mend: 'Check the path, and that the user who runs Edgeward may read the file.',
    cause,
  });
}
