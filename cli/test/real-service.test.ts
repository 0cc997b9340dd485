/** The commands and a real sync service: the shapes that one gives and the other reads are the same. */
import { appendFileSync } from 'node:fs';
import t from 'tap';
import { eventually, startService } from './fixtures/real-service.ts';
import { documentsIn, run } from './fixtures/run.ts';

const record = {
  v: 1,
  t: Date.now(),
  ref: 'k3p7wq',
  object: 'order-front',
  source: '127.0.10.5',
  peer: '127.0.10.5',
  peerPort: 40_000,
  port: 'tcp/80',
  method: 'GET',
  path: '/v1/orders/7\u001b[2J',
  truncated: false,
  host: 'shop.example',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 1,
};

t.test('status, denials, why and accept understand a real service', async (t) => {
  const { config, denyLog } = await startService(t);
  const ask = (...args: string[]) => run([...args, '--config', config]);
  await eventually(async () => /revision 1, current/.test((await ask('status')).out));
  const status = await ask('status');
  t.equal(status.err, '');
  t.match(status.out, /^NOT ENFORCING: no point holds a policy \(edge-1\)/);
  t.match(status.out, /\nedge-1 +\w+ +1 +- +never /);
  t.match(documentsIn((await ask('status', '--json')).out), [
    { headline: /^NOT ENFORCING/, points: [{ point: 'edge-1' }] },
  ]);

  appendFileSync(denyLog, `${JSON.stringify(record)}\n`);
  await eventually(async () => (await ask('denials')).out !== '');
  const denials = await ask('denials', '--since', '1h', '--object', 'order-front');
  t.strictSame([denials.code, denials.err], [0, '']);
  t.match(
    denials.out,
    / DENY edge-1 127\.0\.10\.5\(app=crm,env=dev,.*\) → order-front tcp\/80 GET \/v1\/orders\/7\\x1b\[2J {2}unknown-source; nearest crm-orders: .* {2}ref k3p7wq\n$/,
  );
  t.strictSame((await ask('denials', '--object', 'reports')).out, '');
  t.match(documentsIn((await ask('denials', '--json')).out), [
    { id: 1, ref: 'k3p7wq', sourceWorkloads: ['crm-dev-1'] },
  ]);

  const why = await ask('why', 'k3p7wq');
  t.strictSame([why.code, why.err], [0, '']);
  t.match(why.out, "\n  missed   source: needs env == 'prod', has 'dev'\n");
  t.match(why.out, /\n {2}now {6}DENY 127\.0\.10\.5 .*\(revision 1\)\n/);
  t.match(
    (await ask('why', '@1')).out,
    "\n  missed   source: needs env == 'prod', has 'dev'\n",
    'by its place in the ledger',
  );
  t.match(await ask('why', '@99'), { code: 3, err: /EDW_ERR_UNKNOWN_REFERENCE/ });
  t.match(await ask('why', 'nothing'), { code: 3, err: /EDW_ERR_UNKNOWN_REFERENCE/ });

  t.match(await ask('accept', '2'), { code: 3, err: /EDW_ERR_NOTHING_HELD/ });
  t.match(await ask('accept', '2', '--dry-run'), { code: 3, err: /EDW_ERR_NOTHING_HELD/ });
});
