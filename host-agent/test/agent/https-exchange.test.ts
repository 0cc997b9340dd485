/** Answers as they come from a service that is not well, or from what stands in between: over real TLS. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { EdgewardError } from '@edgeward/runtime';
import { testCertificates } from '@edgeward/test/kit';
import t from 'tap';
import { closeServer } from '../../../test/kit/close-server.ts';
import { exchange } from '../../src/https-exchange.ts';

const packed = { 'content-encoding': 'gzip' };
const text = gzipSync(Buffer.alloc(10_000, 'policy '));

t.test('what is no whole answer is told apart from what is no good one', async (t) => {
  const certificates = await testCertificates(join(t.testdir({}), 'certificates'));
  const { cert, key, ca } = await certificates.server();
  const cases: [string, (response: ServerResponse) => unknown, string][] = [
    ['whole', (it) => it.writeHead(200, packed).end(text), '200 10000'],
    ['no package', (it) => it.writeHead(200, packed).end('<html>'), 'EDW_ERR_SERVICE_ANSWER'],
    ['half a package', (it) => it.writeHead(200, packed).end(text.subarray(0, -9)), 'EDW_ERR_SERVICE_ANSWER'],
    ['too much', (it) => it.end(Buffer.alloc(20_001)), 'EDW_ERR_SERVICE_ANSWER'],
    ['a bomb', (it) => it.writeHead(200, packed).end(gzipSync(Buffer.alloc(1 << 24))), 'EDW_ERR_SERVICE_ANSWER'],
    ['nothing', (it) => it.destroy(), 'EDW_ERR_SERVICE_UNREACHABLE'],
    [
      'cut off on the way',
      (it) => it.writeHead(200, { 'content-length': 100 }).write('x', () => it.destroy()),
      'EDW_ERR_SERVICE_UNREACHABLE',
    ],
    [
      'a package that is cut off on the way',
      (it) => it.writeHead(200, packed).write(text.subarray(0, 20), () => it.destroy()),
      'EDW_ERR_SERVICE_UNREACHABLE',
    ],
  ];
  let answer = (_: ServerResponse): unknown => null;
  const server = createServer({ cert, key }, (_, response) => void answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => closeServer(server));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const bounds = { tls: { ca }, agent: false as const, timeoutMs: 30_000, maxBytes: 20_000 };
  for (const [name, how, expected] of cases) {
    answer = how;
    const said = await exchange({ url, method: 'GET', ...bounds }).then(
      ({ status, body }) => `${status} ${body.length}`,
      (thrown: unknown) => (thrown instanceof EdgewardError ? thrown.code : String(thrown)),
    );
    t.equal(said, expected, name);
  }
  t.equal(
    await exchange({ url: 'https://127.0.0.1:1/', method: 'GET', ...bounds }).catch((thrown) => thrown.code),
    'EDW_ERR_SERVICE_UNREACHABLE',
    'nobody is there',
  );
});
