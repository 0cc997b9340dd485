/**
 * A sync service as small as it can be, for tests of the agent: real TLS, real signatures, one policy on its shelf. It runs in
 * the namespace of the peer, is told what to do by lines of JSON on its standard input, and ends with that.
 */
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { createAuthority, issueCertificate, issueCertificateFor } from '@edgeward/certificates';
import type { CompiledPolicy } from '@edgeward/policy';
import { generateSigningKey } from '@edgeward/policy-format';
import { createLogger, openTlsServer, type TlsServer, writeDurably } from '@edgeward/runtime';
import {
  type EnrolmentAnswer,
  isProof,
  parseDenialBatch,
  renewalRequestSchema,
  renewalStatement,
  signHostPolicy,
} from '../../protocol/index.ts';

const [folder = '', address = '', portText = '', point = ''] = process.argv.slice(2);
const port = Number(portText);
const [key, strangersKey] = [await generateSigningKey(), await generateSigningKey()];
const authority = await createAuthority(`${folder}/authority`);
const files = {
  certFile: `${folder}/tls.pem`,
  keyFile: `${folder}/tls.key`,
  clientCaFile: `${folder}/authority/authority.pem`,
};
const own = await issueCertificate(authority, { uris: [], hosts: [address], days: 30, server: true });
await writeDurably(files.certFile, own.certificate);
await writeDurably(files.keyFile, own.key);

/** What is answered to a question for the policy. */
let shelf: { etag: string; bytes: Buffer } | null = null;
let waiting: (() => void)[] = [];
const reports: unknown[] = [];
const records: unknown[] = [];
let [questions, issued] = [0, 0];
let server: TlsServer | null = null;

function answerOf(certificate: string): EnrolmentAnswer {
  const service = [`https://${address}:${port}`];
  return { v: 1, point, certificate, authority: authority.certificate, signingKeys: [key.publicKey], service };
}

async function open(): Promise<void> {
  server = await openTlsServer({
    ...{ host: address, port, files, logger: createLogger({ level: 'silent' }), closeGraceMs: 1 },
    routes: [
      {
        method: 'GET',
        path: '/v1/host/policy',
        async handle({ headers, signal }) {
          questions += 1;
          const same = (): boolean => shelf === null || headers['if-none-match'] === shelf.etag;
          if (same() && headers.prefer !== undefined)
            await new Promise<void>((resolve) => {
              waiting.push(resolve);
              signal.addEventListener('abort', () => resolve());
              setTimeout(resolve, 5_000).unref();
            });
          if (shelf === null) return { status: 404, json: { error: { code: 'EDW_ERR_HOST_NO_POLICY' } } };
          if (same()) return { status: 304, empty: true };
          return { bytes: shelf.bytes, contentType: 'application/octet-stream', headers: { etag: shelf.etag } };
        },
      },
      {
        method: 'POST',
        path: '/v1/host/report',
        maxBodyBytes: 1 << 20,
        handle(request) {
          reports.push(request.json());
          return { json: { now: new Date().toISOString(), revision: null } };
        },
      },
      {
        method: 'POST',
        path: '/v1/host/denials',
        maxBodyBytes: 1 << 20,
        handle(request) {
          const batch = parseDenialBatch(gunzipSync(request.bytes).toString('utf8'));
          records.push(...batch.records);
          return { json: { epoch: batch.epoch, acknowledged: batch.records.at(-1)?.seq ?? 0 } };
        },
      },
      {
        method: 'POST',
        path: '/v1/host/certificate',
        async handle(request) {
          const { publicKey, proof } = renewalRequestSchema.parse(request.json());
          if (!isProof(proof, renewalStatement(point, publicKey), publicKey)) return { status: 403, json: {} };
          issued += 1;
          const uris = [`urn:edgeward:point:${point}`];
          return { json: answerOf(await issueCertificateFor(authority, publicKey, { uris, days: 30 })) };
        },
      },
    ],
  });
}

export type Offered = 'signed' | 'unsigned' | 'damaged' | 'garbage';

interface Question {
  do: 'offer' | 'identity' | 'up' | 'down' | 'heard';
  policy: CompiledPolicy;
  how: Offered;
  days: number;
}

async function offer(policy: CompiledPolicy, how: Offered): Promise<void> {
  const signer = how === 'unsigned' ? strangersKey : key;
  const bytes = Buffer.from(await signHostPolicy(policy, new Date().toISOString(), signer));
  if (how === 'damaged') bytes[bytes.length - 20] = 0x20;
  shelf = {
    etag: `"${policy.revision}-${policy.hash.slice(0, 16)}"`,
    bytes: how === 'garbage' ? Buffer.from('{}\n') : bytes,
  };
  for (const resolve of waiting) resolve();
  waiting = [];
}

async function answerTo(question: Question): Promise<unknown> {
  if (question.do === 'offer') await offer(question.policy, question.how);
  if (question.do === 'down') await server?.close();
  if (question.do === 'up') await open();
  if (question.do === 'heard') return { reports: reports.splice(0), records: records.splice(0), questions, issued };
  if (question.do !== 'identity') return null;
  const uris = [`urn:edgeward:point:${point}`];
  const issuedNow = await issueCertificate(authority, { uris, days: question.days });
  return { ...answerOf(issuedNow.certificate), key: issuedNow.key };
}

const say = (words: object): void => void process.stdout.write(`${JSON.stringify(words)}\n`);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const question = JSON.parse(line) as Question & { id: number };
    answerTo(question).then(
      (answer) => say({ id: question.id, answer }),
      (error: unknown) => say({ id: question.id, error: String(error) }),
    );
  })
  .on('close', () => process.exit(0));
await open();
say({ ready: true });
