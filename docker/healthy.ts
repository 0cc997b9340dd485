/**
 * Ends with 0 where a GET of the URL answers 200: the health check of containers that hold neither curl nor wget. With a
 * folder it shows the certificate in it.
 *
 *     node healthy.ts http://127.0.0.1:9400/readyz
 *     node healthy.ts https://127.0.0.1:9401/readyz /run/edgeward/forwarder
 */
import { readFileSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { get as getOverTls } from 'node:https';
import { join } from 'node:path';

const [url = '', folder] = process.argv.slice(2);
const read = (name: string): string => (folder === undefined ? '' : readFileSync(join(folder, name), 'utf8'));
const identity = { ca: read('client-ca.pem'), cert: read('certificate.pem'), key: read('key.pem') };
const asked = url.startsWith('https:')
  ? getOverTls(url, { timeout: 4000, ...identity })
  : getPlain(url, { timeout: 4000 });
asked
  .on('response', (response) => {
    response.resume();
    process.exitCode = response.statusCode === 200 ? 0 : 1;
  })
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
