/** A service that was started anew hears of its hosts: the whole agent against real TLS, by a clock that the test holds. */
import { setTimeout as pause } from 'node:timers/promises';
import { createLifecycle, createLogger, openTlsServer, type TlsServer } from '@edgeward/runtime';
import { requireHosts, startHost, testCertificates } from '@edgeward/test/kit';
import t from 'tap';
import { createManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { type HostReport, hostReportOf } from '../../protocol/index.ts';
import { readAgentConfig } from '../../src/config.ts';
import { writeIdentity } from '../../src/identity.ts';
import { readAgentStatus, startAgent } from '../../src/index.ts';

requireHosts(t);

const logger = createLogger({ level: 'silent' });
const POINT = 'host-db';

type Holds = () => boolean | Promise<boolean>;

t.test('a service that was started anew hears of a host as soon as that finds it', async (t) => {
  const host = await startHost(t);
  const folder = t.testdir({ state: {}, run: {} });
  const certificates = await testCertificates(`${folder}/certificates`);
  const { certFile, keyFile, caFile } = await certificates.server();
  const reports: HostReport[] = [];
  let polls = 0;
  /** One that has no policy, and nothing to tell whoever waits. */
  const open = (port: number): Promise<TlsServer> =>
    openTlsServer({
      ...{ host: '127.0.0.1', port, files: { certFile, keyFile, clientCaFile: caFile }, closeGraceMs: 1, logger },
      routes: [
        {
          method: 'GET',
          path: '/v1/host/policy',
          async handle({ headers, signal }) {
            polls += 1;
            if (headers.prefer !== undefined)
              await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
            return { status: 404, json: { error: { code: 'EDW_ERR_HOST_NO_POLICY', message: '-', mend: '-' } } };
          },
        },
        {
          method: 'POST',
          path: '/v1/host/report',
          maxBodyBytes: 1 << 20,
          handle(request) {
            reports.push(hostReportOf(request.json()));
            return { json: { now: new Date().toISOString(), revision: null } };
          },
        },
      ],
    });
  let server = await open(0);
  t.teardown(() => server.close());
  const { cert, key, ca } = await certificates.point(POINT);
  const signingKeys = [{ kid: 'A'.repeat(16), x: 'A'.repeat(43) }];
  const shown = { certificate: cert, key, authority: ca, signingKeys, formerKeys: [], service: [server.url] };
  const [stateDir, runtimeDir] = [`${folder}/state`, `${folder}/run`];
  await writeIdentity(stateDir, { v: 1, point: POINT, ...shown });
  const clock = createManualClock(Date.now());
  const lifecycle = createLifecycle(logger);
  t.teardown(async () => {
    await lifecycle.shutdown('the test ends');
    lifecycle.release();
  });
  const config = readAgentConfig({ value: { stateDir, runtimeDir }, file: 'agent.yaml', env: {} });
  await startAgent({ config, version: '0', logger, lifecycle, clock, where: host.where });
  const startedAtMs = clock.now();
  /** The clock of the agent goes on a little each time, and what that sets off has real time for itself. */
  async function until(what: string, stepMs: number, holds: Holds): Promise<void> {
    let held = await holds();
    for (let step = 0; step < 1_500 && !held; step += 1) {
      if (stepMs > 0) await clock.advance(stepMs);
      await pause(10);
      held = await holds();
    }
    t.ok(held, what);
  }
  await until('it has reported, as each agent does when it starts', 0, () => reports.length >= 1);
  await until('and follows', 10, () => polls >= 2);
  await server.close();
  const isAway = async (): Promise<boolean> => (await readAgentStatus(runtimeDir))?.service.error != null;
  await until('it misses the service', 10, isAway);
  server = await open(server.port);
  await until('it finds the service again', 10, async () => polls >= 3 && !(await isAway()));
  const foundAtMs = clock.now();
  t.ok(foundAtMs < startedAtMs + 30_000, 'long before its next report is due');
  await clock.advance(3_000);
  await until('and tells how it is', 0, () => reports.length >= 2);
});
