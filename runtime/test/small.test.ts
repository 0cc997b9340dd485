import t from 'tap';
import {
  backoff,
  Counter,
  createLogger,
  createMetrics,
  createRateLimit,
  EdgewardError,
  messageOf,
  sha256Hex,
  systemClock,
} from '../src/index.ts';

t.test('a log line is one JSON object with event, level, ISO time and a coded error in full', async (t) => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const err = new EdgewardError('EDW_ERR_X', 'doing', { mend: 'Mend.', cause: new Error('inner') });
  logger.debug({ event: 'unseen' });
  logger.child({ point: 'edge-1' }).warn({ event: 'seen', err }, 'text');
  t.equal(lines.length, 1);
  const line: unknown = JSON.parse(lines[0] ?? '');
  t.match(line, {
    level: 'warn',
    point: 'edge-1',
    event: 'seen',
    msg: 'text',
    err: { code: 'EDW_ERR_X', mend: 'Mend.' },
  });
  t.match(line, { time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ });
});

t.test(
  'back-off doubles its ceiling up to the longest, draws evenly below it, and starts anew after a success',
  async (t) => {
    let drawn = 0.999999;
    const delays = backoff({ baseMs: 500, maxMs: 30_000, random: () => drawn });
    const ceilings = Array.from({ length: 8 }, () => delays.nextMs() + 1);
    t.strictSame(ceilings, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    drawn = 0;
    t.equal(delays.nextMs(), 0);
    delays.reset();
    drawn = 0.5;
    t.equal(delays.nextMs(), 250);
  },
);

t.test('two registries in one process do not see each other', async (t) => {
  const [one, two] = [createMetrics(), createMetrics({ processMetrics: false })];
  new Counter({ name: 'edgeward_test_total', help: 'x', registers: [two] }).inc(2);
  t.match(await two.metrics(), 'edgeward_test_total 2');
  t.notMatch(await one.metrics(), 'edgeward_test_total');
  t.match(await one.metrics(), 'process_cpu_seconds_total');
});

t.test('a digest is lower-case hex of the UTF-8 bytes', async (t) => {
  t.equal(sha256Hex('é'), '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c');
});

t.test('a cancelled timer never runs', async (t) => {
  const ran: string[] = [];
  systemClock.after(0, () => ran.push('cancelled'))();
  const keepAlive = setTimeout(() => {}, 60_000);
  await new Promise<void>((resolve) => void systemClock.after(1, resolve));
  clearTimeout(keepAlive);
  t.strictSame(ran, []);
});

t.test('whatever was thrown has a message', async (t) => {
  t.equal(messageOf(new Error('a')), 'a');
  t.equal(messageOf('b'), 'b');
  t.equal(messageOf(undefined), 'undefined');
});

t.test('a rate limit gives a burst, then a rate, to each key its own', (t) => {
  const limit = createRateLimit({ perSecond: 2, burst: 3 });
  const steps: [key: string, atMs: number, waitMs: number][] = [
    ['a', 0, 0],
    ['a', 0, 0],
    ['a', 0, 0],
    ['a', 0, 500],
    ['b', 0, 0],
    ['a', 250, 250],
    ['a', 500, 0],
    ['a', 500, 500],
    ['a', 100, 500],
    ['a', 60_000, 0],
  ];
  for (const [key, atMs, waitMs] of steps) t.equal(limit.take(key, atMs), waitMs, `${key} at ${atMs}`);
  t.equal(limit.size, 1, 'who is silent is forgotten');
  t.end();
});

t.test('a key that stands for ten may do what ten may', (t) => {
  const limit = createRateLimit({ perSecond: 2, burst: 3 });
  const passed = (atMs: number): number => {
    let count = 0;
    while (count < 100 && limit.take('site', atMs, 10) === 0) count += 1;
    return count;
  };
  t.equal(passed(0), 30);
  t.equal(passed(1_000), 20);
  t.end();
});
