import t from 'tap';
import { changed, network, policy, rule, site, syntax, tested, workload } from './fixtures/site.ts';
import { inMinutes, minuteMs, stage } from './fixtures/stage.ts';

const allowed = 'allow by crm-orders';

const until = (minutes: number) => policy([rule({ until: inMinutes(minutes) })]);

const ending: { name: string; site: typeof site; from: string }[] = [
  { name: 'a rule with until', site: changed(site, { policy: until(10) }), from: '10.30.1.1' },
  {
    name: 'a network with expires',
    site: changed(site, {
      net: network(['192.0.2.0/24'], { expires: inMinutes(10) }),
      policy: policy([rule({ from: [{ network: 'branches' }] })]),
    }),
    from: '192.0.2.9',
  },
  {
    name: 'a rule whose end its own tests do not foresee',
    site: changed(tested, {
      policy: policy([rule({ until: inMinutes(10) })], {
        tests: [{ from: '10.30.1.1', to: 'order-front', port: 'tcp/443', expect: 'allow' }],
      }),
    }),
    from: '10.30.1.1',
  },
];

t.test('what time ends takes effect at that instant and is never held', async (t) => {
  for (const { name, site, from } of ending) {
    t.test(`${name}, in the ordinary course`, async (t) => {
      const it = await stage(t);
      await it.offer(site);
      t.equal(it.publisher.status().nextChangeAtMs, it.clock.now() + 10 * minuteMs);
      await it.clock.advance(10 * minuteMs - 1);
      t.equal(it.verdict(from), allowed, 'not a millisecond earlier');
      await it.clock.advance(1);
      await it.publisher.tick();
      t.equal(it.verdict(from), 'unknown-source');
      t.match(it.publisher.status(), { state: 'current', revision: 2, held: null, nextChangeAtMs: null });
    });
    t.test(`${name}, while the directory is broken or away`, async (t) => {
      const it = await stage(t);
      await it.offer(site);
      await it.offer(site, [syntax]);
      it.away();
      await it.clock.advance(10 * minuteMs);
      await it.publisher.tick();
      t.equal(it.verdict(from), 'unknown-source');
      t.match(it.publisher.status(), { state: 'last-known-good', revision: 2, held: null });
    });
    t.test(`${name}, after a restart without the directory`, async (t) => {
      const it = await stage(t);
      await it.offer(site);
      const next = await it.restart();
      t.equal(next.verdict(from), allowed);
      await next.clock.advance(10 * minuteMs);
      await next.publisher.tick();
      t.equal(next.verdict(from), 'unknown-source');
      t.strictSame(next.published, [1, 2]);
    });
    t.test(`${name}, while the service was down`, async (t) => {
      const it = await stage(t);
      await it.offer(site);
      await it.clock.advance(1);
      await it.close();
      const next = await stage(t, { dir: it.dir, startMs: it.clock.now() + 11 * minuteMs });
      const loaded = await next.cache.loadSnapshot();
      if (loaded.state !== 'loaded') throw new Error('the snapshot is there');
      await next.publisher.restore(loaded.snapshot);
      t.equal(next.verdict(from), 'unknown-source');
      t.equal(next.publisher.status().held, null);
      t.strictSame(next.published, [2]);
    });
    t.test(`${name}, when an edit is read after the instant and before the timer`, async (t) => {
      const it = await stage(t, { lateTimers: true });
      await it.offer(site);
      await it.clock.advance(11 * minuteMs);
      t.equal(it.verdict(from), allowed, 'the timer has not fired yet');
      await it.offer(changed(site, { 'crm-5': workload('crm-5', '10.30.1.5', { app: 'erp' }) }));
      t.equal(it.verdict(from), 'unknown-source');
      t.equal(it.publisher.status().held, null);
    });
  }
  t.test('while another revision is held', async (t) => {
    const it = await stage(t);
    await it.offer(changed(site, { policy: until(10) }));
    await it.offer(
      changed(site, { policy: policy([rule({ until: inMinutes(10), from: [{ cidr: '10.9.9.9/32' }] })]) }),
    );
    t.match(it.publisher.status().held, { objects: [{ object: 'order-front', lostShare: 1 }] });
    await it.clock.advance(10 * minuteMs);
    await it.publisher.tick();
    t.equal(it.verdict('10.30.1.1'), 'unknown-source');
  });
  t.test('within a minute after the clock was set forward, or the machine slept', async (t) => {
    let forwardMs = 0;
    const it = await stage(t, { setForwardMs: () => forwardMs });
    await it.offer(changed(site, { policy: until(24 * 60) }));
    forwardMs = 24 * 60 * minuteMs;
    await it.clock.advance(minuteMs);
    await it.close();
    t.equal(it.verdict('10.30.1.1'), 'unknown-source');
    t.strictSame(it.published, [1, 2]);
  });
  t.test('a delay longer than a timer takes is waited for in pieces', async (t) => {
    const days = 60;
    const it = await stage(t);
    await it.offer(changed(site, { policy: until(days * 24 * 60) }));
    await it.clock.advance(days * 24 * 60 * minuteMs);
    await it.publisher.tick();
    t.equal(it.verdict('10.30.1.1'), 'unknown-source');
  });
});
