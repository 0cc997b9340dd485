/** What becomes of a batch, by what answers it: over real TLS, from servers that are well and others that are not. */
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { identityOf } from '@edgeward/certificates';
import { type TestCertificates, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { closeServer } from '../../test/kit/close-server.ts';
import {
  type BatchSent,
  createBatchSender,
  type DenyBatch,
  fitting,
  formatDenyBatch,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
} from '../src/index.ts';

const epoch = '0123456789abcdef'.repeat(2);
const waiting = { records: 3, unreadBytes: 0, shed: 0 };
const batchOf = (...seqs: number[]): DenyBatch => ({
  ...{ epoch, waiting },
  records: seqs.map((seq) => ({ seq, record: JSON.stringify({ kind: 'gap', count: seq }) })),
});

interface Here {
  url: string;
  certificates: TestCertificates;
  /** Who asked, and what the bodies were. */
  heard: { point: string; text: string }[];
  answer: (response: ServerResponse) => void;
}

async function serverHere(t: Test): Promise<Here> {
  const certificates = await testCertificates(join(t.testdir({}), 'certificates'));
  const { cert, key, ca } = await certificates.server();
  const here: Here = { url: '', certificates, heard: [], answer: (response) => response.end() };
  const server = createServer(
    { cert, key, ca, requestCert: true },
    (request, response) => void serve(request, response),
  );
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { points } = identityOf((request.socket as TLSSocket).getPeerX509Certificate());
    here.heard.push({ point: points.join(), text: gunzipSync(Buffer.concat(pieces)).toString() });
    here.answer(response);
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  here.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.teardown(() => closeServer(server));
  return here;
}

const said = (sent: BatchSent): unknown[] =>
  sent.state === 'acknowledged' ? [sent.state, sent.acknowledged] : [sent.state, sent.error.code];
const json = (status: number, value: unknown, headers: Record<string, string> = {}): Here['answer'] => {
  return (response) => response.writeHead(status, headers).end(JSON.stringify(value));
};

t.test('what is answered is believed when it fits, and nothing else is', async (t) => {
  const here = await serverHere(t);
  const sender = createBatchSender({ url: `${here.url}/`, tls: await here.certificates.point('edge-1') });
  t.teardown(sender.close);
  const failure = (code: string): unknown => ({ error: { code, message: 'no', mend: 'Do.' } });
  const table: [name: string, answer: Here['answer'], expect: unknown[]][] = [
    ['all of it', json(200, { epoch, acknowledged: 5 }), ['acknowledged', 5]],
    ['some of it', json(200, { epoch, acknowledged: 4 }), ['acknowledged', 4]],
    ['more than was sent', json(200, { epoch, acknowledged: 99 }), ['acknowledged', 5]],
    ['nothing of it', json(200, { epoch, acknowledged: 3 }), ['unanswered', 'EDW_ERR_BATCH_ANSWER']],
    ['another epoch', json(200, { epoch: 'f'.repeat(32), acknowledged: 5 }), ['unanswered', 'EDW_ERR_BATCH_ANSWER']],
    ['a page', (response) => response.end('<html>'), ['unanswered', 'EDW_ERR_BATCH_ANSWER']],
    ['too much', (response) => response.end('x'.repeat(100_000)), ['unanswered', 'EDW_ERR_BATCH_ANSWER']],
    [
      'half an answer',
      (response) => response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
      ['unanswered', 'EDW_ERR_BATCH_UNREACHABLE'],
    ],
    ['a refusal', json(403, failure('EDW_ERR_BATCH_SENDER')), ['refused', 'EDW_ERR_BATCH_SENDER']],
    ['a refusal of a stranger', json(403, 'no'), ['refused', 'EDW_ERR_BATCH_ANSWER']],
    ['a code that is none', json(400, failure('rm -rf')), ['refused', 'EDW_ERR_BATCH_ANSWER']],
    ['a failure', json(500, failure('EDW_ERR_INTERNAL')), ['unanswered', 'EDW_ERR_INTERNAL']],
    [
      'a redirection',
      json(302, '', { location: 'https://elsewhere.example/' }),
      ['unanswered', 'EDW_ERR_BATCH_ANSWER'],
    ],
    ['not now', json(503, failure('EDW_ERR_BATCH_LATER')), ['later', 'EDW_ERR_BATCH_LATER']],
  ];
  for (const [name, answer, expect] of table) {
    here.answer = answer;
    t.strictSame(said(await sender.send(batchOf(4, 5))), expect, name);
  }
});

t.test('a server is asked again when it said, within reason', async (t) => {
  const here = await serverHere(t);
  const sender = createBatchSender({ url: here.url, tls: await here.certificates.point('edge-1') });
  t.teardown(sender.close);
  const table: [after: string | undefined, afterMs: number][] = [
    ['7', 7_000],
    ['0', 1_000],
    ['999999', 3_600_000],
    ['-3', 5_000],
    ['Fri, 31 Dec 2027 23:59:59 GMT', 5_000],
    [undefined, 5_000],
  ];
  for (const [after, afterMs] of table) {
    here.answer = json(429, {}, after === undefined ? {} : { 'retry-after': after });
    t.match(await sender.send(batchOf(1)), { state: 'later', afterMs }, after ?? 'nothing');
  }
});

t.test('what is sent is one line of what it is, and a line a record', async (t) => {
  const here = await serverHere(t);
  const now = (): number => Date.parse('2026-11-23T10:00:07.120Z');
  const sender = createBatchSender({ url: here.url, tls: await here.certificates.point('edge-1'), now });
  t.teardown(sender.close);
  here.answer = json(200, { epoch, acknowledged: 9 });
  await sender.send(batchOf(8, 9));
  await sender.send(batchOf());
  const lines = here.heard.map(({ text }) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  );
  const head = { v: 1, epoch, sentAt: '2026-11-23T10:00:07.120Z', waiting };
  t.strictSame(lines, [
    [
      { ...head, first: 8, last: 9 },
      { seq: 8, kind: 'gap', count: 8 },
      { seq: 9, kind: 'gap', count: 9 },
    ],
    [{ ...head, first: 10, last: 9 }],
  ]);
});

t.test('a certificate that was renewed is shown from then on; one that can not be used is said', async (t) => {
  const here = await serverHere(t);
  here.answer = json(200, { epoch, acknowledged: 1 });
  const [first, second] = [await here.certificates.point('edge-1'), await here.certificates.point('edge-2')];
  const sender = createBatchSender({ url: here.url, tls: first });
  t.teardown(sender.close);
  await sender.send(batchOf(1));
  writeFileSync(first.certFile, 'nonsense');
  t.strictSame(said(await sender.send(batchOf(1))), ['unanswered', 'EDW_ERR_BATCH_TLS']);
  writeFileSync(first.certFile, second.cert);
  writeFileSync(first.keyFile, second.key);
  t.strictSame(said(await sender.send(batchOf(1))), ['acknowledged', 1]);
  t.strictSame(
    here.heard.map(({ point }) => point),
    ['edge-1', 'edge-2'],
  );
});

t.test('nobody who is silent, away or somebody else is waited for', async (t) => {
  const here = await serverHere(t);
  const tls = await here.certificates.point('edge-1');
  const others = await testCertificates(join(dirname(tls.caFile), 'others'));
  const theirs = { ...tls, caFile: others.caFile };
  const table: [name: string, url: string, files: typeof tls][] = [
    ['silent', here.url, tls],
    ['away', 'https://127.0.0.1:1', tls],
    ['of another authority', here.url, theirs],
  ];
  here.answer = () => {};
  for (const [name, url, files] of table) {
    const sender = createBatchSender({ url, tls: files, timeoutMs: 300 });
    t.strictSame(said(await sender.send(batchOf(1))), ['unanswered', 'EDW_ERR_BATCH_UNREACHABLE'], name);
    sender.close();
  }
});

t.test('what fits into a batch is as much as its receiver takes, and always one record', (t) => {
  const sized = (bytes: number, count: number): { seq: number; record: string }[] =>
    Array.from({ length: count }, (_, index) => ({
      seq: 9e15 + index,
      record: JSON.stringify({ pad: 'é'.repeat(bytes / 2) }),
    }));
  const table: [name: string, records: { seq: number; record: string }[], expect: number][] = [
    ['none', [], 0],
    ['few', sized(10, 3), 3],
    ['many', sized(10, MAX_BATCH_RECORDS + 1), MAX_BATCH_RECORDS],
    ['one that is too large', sized(2 * MAX_BATCH_BYTES, 2), 1],
  ];
  for (const [name, records, expect] of table) t.equal(fitting(records).length, expect, name);
  const large = fitting(sized(5_000, 1_000));
  t.ok(large.length > 200);
  t.ok(Buffer.byteLength(formatDenyBatch({ epoch, records: large, waiting }, Date.now())) <= MAX_BATCH_BYTES);
  t.end();
});
