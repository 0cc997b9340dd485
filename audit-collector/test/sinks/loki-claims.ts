/**
 * What pushing to a Loki promises, as claims that hold on the stand-in of these tests and on a real one
 * (`test/external/loki.external.ts`). A point of its own for each claim, so that a Loki with other things in it will do.
 */
import { randomBytes } from 'node:crypto';
import { systemClock } from '@edgeward/runtime';
import type { Test } from 'tap';
import type { DenyEvent } from '../../src/deny-event.ts';
import type { StoredDenial } from '../../src/ledger/ledger.ts';
import { connectLoki } from '../../src/sinks/loki/loki-connection.ts';
import type { LokiLine } from '../../src/sinks/loki/loki-entry.ts';
import { lokiSink } from '../../src/sinks/loki/loki-sink.ts';
import type { Pushed } from '../../src/sinks/sink.ts';
import { eventOf } from '../ledger/fixtures.ts';
import { lokiConfig, named } from './stage.ts';

export interface LokiPlace {
  /** Without a path. */
  url: string;
  /** Everything of the stream, oldest first; whatever it takes to see it. `atLeast` so many are waited for. */
  lines(point: string, atLeast: number): Promise<{ timeMs: number; line: string }[]>;
}

const epoch = '0123456789abcdef0123456789abcdef';
const hourMs = 3_600_000;
const never = new AbortController().signal;

interface Stage {
  point: string;
  push(denials: readonly StoredDenial[]): Promise<Pushed>;
  denial(id: number, timeMs: number, more?: Partial<DenyEvent>): StoredDenial;
  read(atLeast: number): Promise<{ timeMs: number; line: LokiLine }[]>;
}

function stageAt(t: Test, place: LokiPlace, labels: Record<string, string> = {}): Stage {
  const point = `edge-${randomBytes(6).toString('hex')}`;
  const connect = () => connectLoki(lokiConfig(place.url));
  const sink = lokiSink({ labels, clock: systemClock, connect });
  t.teardown(() => sink.close());
  return {
    point,
    push: (denials) => sink.push({ denials: denials.map((denial) => named(denial, epoch)), holes: [] }, never, 0),
    denial: (id, timeMs, more = {}) => ({ id, event: { ...eventOf({ ref: `r${id}`, t: timeMs }, point), ...more } }),
    read: async (atLeast) =>
      (await place.lines(point, atLeast)).map(({ timeMs, line }) => ({ timeMs, line: JSON.parse(line) as LokiLine })),
  };
}

export function lokiClaims(t: Test, place: LokiPlace): void {
  t.test('an event is there once, at its own time, whole, and with its uid in the line', async (t) => {
    const stage = stageAt(t, place, { site: 'fra' });
    const at = Date.now();
    const one = stage.denial(7, at);
    t.strictSame(await stage.push([one]), { sent: 1, rejected: {}, clamped: 0 });
    t.strictSame(await stage.push([one]), { sent: 1, rejected: {}, clamped: 0 }, 'pushed again');
    t.strictSame(await stage.read(1), [{ timeMs: at, line: { uid: `${epoch}/7`, id: 7, ...one.event } }]);
  });

  t.test('events of one millisecond that say the same are all there, in the order of their storing', async (t) => {
    const stage = stageAt(t, place);
    const at = Date.now();
    const many = Array.from({ length: 50 }, (_, i) => stage.denial(i + 1, at, { ref: null }));
    t.match(await stage.push(many), { sent: 50 });
    t.strictSame(
      (await stage.read(50)).map(({ line }) => line.id),
      many.map(({ id }) => id),
    );
  });

  t.test('what is hostile in an event is text in its line', async (t) => {
    const stage = stageAt(t, place);
    const path = '/a"},{"verdict":"allow\u0000\u001b[31m\r\n\u202e=cmd|__proto__';
    await stage.push([stage.denial(1, Date.now(), { path })]);
    const [found, ...more] = await stage.read(1);
    t.strictSame([found?.line.path, more], [path, []]);
  });

  t.test('a backlog goes in oldest first, at its own times', async (t) => {
    const stage = stageAt(t, place);
    const now = Date.now();
    const ages = [0, 2, 3].map((hours) => now - hours * hourMs);
    const all = ages.map((at, i) => stage.denial(i + 1, at));
    t.strictSame(await stage.push(all), { sent: 3, rejected: {}, clamped: 0 }, 'in whatever order they were stored');
    t.strictSame(
      (await stage.read(3)).map(({ timeMs }) => timeMs),
      ages.toSorted(),
    );
  });

  t.test('one that is too late, too old or from the future is moved to where it is taken, and says so', async (t) => {
    const now = Date.now();
    const cases = [
      {
        clamped: 'too-far-behind',
        at: now - 3 * hourMs,
        isNear: (at: number) => Math.abs(at - (now - hourMs)) < 300_000,
      },
      {
        clamped: 'too-old',
        at: now - 8 * 24 * hourMs,
        isNear: (at: number) => Math.abs(at - (now - 168 * hourMs)) < 600_000,
      },
      { clamped: 'too-new', at: now + hourMs, isNear: (at: number) => Math.abs(at - now) < 300_000 },
    ];
    for (const { clamped, at, isNear } of cases) {
      const stage = stageAt(t, place);
      if (clamped === 'too-far-behind') await stage.push([stage.denial(1, now)]);
      const pushed = await stage.push([stage.denial(2, at)]);
      t.strictSame(pushed, { sent: 1, rejected: {}, clamped: 1 }, clamped);
      const found = (await stage.read(clamped === 'too-far-behind' ? 2 : 1)).find(({ line }) => line.id === 2);
      t.match(found?.line, { clamped, time: new Date(at).toISOString() }, 'its own time is in the line');
      t.ok(isNear(found?.timeMs ?? 0), `${clamped}: ${new Date(found?.timeMs ?? 0).toISOString()}`);
    }
  });

  t.test('one of a time that no timestamp has holds up no other', async (t) => {
    const stage = stageAt(t, place);
    const now = Date.now();
    const years = [
      '0001-01-01T00:00:00.000Z',
      '1677-01-01T00:00:00.000Z',
      '2263-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
    ];
    const denials = years.map((time, at) => stage.denial(at + 2, now, { time }));
    const pushed = await stage.push([stage.denial(1, now), ...denials]);
    t.strictSame(pushed, { sent: 5, rejected: {}, clamped: 4 });
    const found = (await stage.read(5)).map(({ line: { id, time, clamped } }) => [id, time, clamped ?? null]);
    t.strictSame(
      found.toSorted(([a], [b]) => Number(a) - Number(b)),
      [
        [1, new Date(now).toISOString(), null],
        ...years.map((time, at) => [at + 2, time, at < 2 ? 'too-old' : 'too-new']),
      ],
    );
  });

  t.test('of a push that is partly refused every event is accounted for, and there once', async (t) => {
    const now = Date.now();
    const day = 24 * hourMs;
    const cases: [string, number[], number][] = [
      ['behind', [-3 * hourMs, -2 * hourMs, -1_000, 0], 2],
      ['old', [-9 * day, -8 * day, -1_000, 0], 2],
      ['from the future', [-1_000, 0, hourMs, 2 * hourMs], 2],
      ['old and from the future', [-9 * day, -1_000, 0, 2 * hourMs], 2],
      ['old and behind', [-9 * day, -3 * hourMs, -1_000, 0], 2],
      ['all of it', [-9 * day, -8 * day, -3 * hourMs, -2 * hourMs, 0, 2 * hourMs], 5],
    ];
    for (const [name, offsets, clamped] of cases) {
      const stage = stageAt(t, place);
      await stage.push([stage.denial(1, now)]);
      const denials = offsets.map((offset, i) => stage.denial(i + 2, now + offset));
      t.strictSame(await stage.push(denials), { sent: denials.length, rejected: {}, clamped }, name);
      const found = (await stage.read(denials.length + 1)).map(({ line }) => line.id);
      t.strictSame(
        found.toSorted((a, b) => a - b),
        [1, ...denials.map(({ id }) => id)],
        `${name}: each of them once`,
      );
    }
  });

  t.test('one that is too long is counted as refused, and holds up no other', async (t) => {
    const stage = stageAt(t, place);
    const long = { sourceLabels: { app: 'x'.repeat(300 * 1024) } };
    const now = Date.now();
    const pushed = await stage.push([stage.denial(1, now), stage.denial(2, now, long), stage.denial(3, now)]);
    t.strictSame(pushed, { sent: 2, rejected: { 'too-long': 1 }, clamped: 0 });
    t.strictSame(
      (await stage.read(2)).map(({ line }) => line.id),
      [1, 3],
    );
  });

  t.test('of an answer that is too long to be read, every event is accounted for all the same', async (t) => {
    // Each refusal names the stream, and each is another one, because their times differ.
    const labels = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`label_${i}`, 'x'.repeat(128)]));
    const stage = stageAt(t, place, labels);
    const now = Date.now();
    const denials = Array.from({ length: 400 }, (_, i) => stage.denial(i + 1, now - 9 * 24 * hourMs + i * 1_000));
    t.strictSame(await stage.push(denials), { sent: 400, rejected: {}, clamped: 400 });
    const found = (await stage.read(400)).map(({ line }) => line.id);
    t.strictSame(new Set(found).size, 400, 'all of them are there');
  });

  t.test('a stream that is not taken is a failure, and nothing of it is counted as refused', async (t) => {
    const labels = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`l${i}`, 'x']));
    const stage = stageAt(t, place, labels);
    await t.rejects(stage.push([stage.denial(1, Date.now())]), { code: 'EDW_ERR_SINK_PUSH', retry: 'refused' });
  });
}
