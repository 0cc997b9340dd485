/** What `edgeward forward` says before it starts. What it does: deny-forwarder/test, test/system/forwarder.test.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { run, start, textOf } from './fixtures/run.ts';

const whole = 'collector: { url: "https://a.example:9443", caFile: a, certFile: b, keyFile: c }\n';

t.test('a configuration that is none is refused before anything is opened, all of it at once', async (t) => {
  const file = join(t.testdir({}), 'edgeward-forwarder.yaml');
  const table: [name: string, text: string, says: RegExp][] = [
    ['nothing', '', /collector: missing/],
    ['a key that is not known', `${whole}denylog: x\n`, /denylog/],
    ['no https', 'collector: { url: "http://a.example", caFile: a, certFile: b, keyFile: c }\n', /collector\.url/],
    [
      'a path',
      'collector: { url: "https://a.example/x", caFile: a, certFile: b, keyFile: c }\n',
      /no more than a host/,
    ],
    ['a small spool', `${whole}spoolMaxMb: 1\n`, /spoolMaxMb/],
    ['metrics for everybody, in clear', `${whole}metrics: { listen: "0.0.0.0:9403" }\n`, /needs `tls`/],
    ['no YAML', 'collector: [\n', /edgeward-forwarder\.yaml/],
  ];
  for (const [name, text, says] of table) {
    writeFileSync(file, text);
    t.match(await run(['forward', '--config', file]), { code: 78, out: '', err: says }, name);
  }
  t.match(await run(['forward', '--config', `${file}.none`]), { code: 78, err: /EDW_ERR_CONFIG_FILE/ });
});

t.test('it runs while its files are not there yet, says so, and ends with a signal', async (t) => {
  const own = 'denyLog: deny.log\nspoolDir: spool\nmetrics: { listen: "127.0.0.1:0" }\n';
  const folder = t.testdir({ 'forward.yaml': whole + own });
  const { child, ended } = start(t, ['forward', '--config', join(folder, 'forward.yaml')]);
  const log = textOf(child.stderr);
  await log.until('forwarder_started');
  await log.until('EDW_ERR_SECRET_FILE');
  child.kill('SIGTERM');
  t.match(await ended, { code: 0 });
});
