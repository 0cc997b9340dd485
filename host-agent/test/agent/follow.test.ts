/** How a host asks for its policy: its real client against a service with real TLS, by a clock that the test holds. */
import { join } from 'node:path';
import { createLogger, type HttpAnswer, openTlsServer } from '@edgeward/runtime';
import { testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createManualClock, type ManualClock } from '../../../runtime/test/fixtures/manual-clock.ts';
import { follow } from '../../src/follow.ts';
import { createServiceClient, type ServiceClient } from '../../src/service-client.ts';
import type { Outcome } from '../../src/take-over.ts';

interface Scene {
  clock: ManualClock;
  /** What the host asked with since it was looked at last: what it may wait for, and in a scene of answers every question. */
  asked(): (string | undefined)[];
  /** Whether each of all its questions may wait; and what it knows of the service after each. */
  waits(): boolean[];
  contacts(): string[];
  /** What was offered since it was looked at last. */
  offered(): string[];
  /** The n-th question that is under way or was answered, from 1. */
  question(n: number): Promise<void>;
  offer(n: number): Promise<void>;
  /** Questions that were begun; and the n-th is over. */
  begun(): number;
  contact(n: number): Promise<void>;
  /** Answers whoever waits. */
  publish(etag: string): void;
  /** Whoever asks next does so with another identity. */
  renew(): void;
  end(): Promise<void>;
}

interface Service {
  /** How each question is answered, at once. Without it one that may wait does so until something is published. */
  answer?: (mayWait: boolean) => HttpAnswer;
  outcome?: (text: string) => Outcome | Promise<Outcome>;
}

/** Counts, and lets whoever wants the n-th wait for it: an event, and no time. */
function counter(): { add(): void; reaches(n: number): Promise<void>; count(): number } {
  let count = 0;
  let waiting: { n: number; resolve: () => void }[] = [];
  return {
    add() {
      count += 1;
      for (const { n, resolve } of waiting) if (n <= count) resolve();
      waiting = waiting.filter(({ n }) => n > count);
    },
    reaches: (n) => new Promise((resolve) => (n <= count ? resolve() : void waiting.push({ n, resolve }))),
    count: () => count,
  };
}

const NONE: HttpAnswer = { status: 404, json: { error: { code: 'EDW_ERR_HOST_NO_POLICY', message: '-', mend: '-' } } };
const policy = (etag: string): HttpAnswer => ({ bytes: Buffer.from(etag), contentType: 'x/policy', headers: { etag } });

/** Without answers of its own it begins at the first question that waits. */
async function scene(t: Test, { answer, outcome = () => 'settled' }: Service): Promise<Scene> {
  const certificates = await testCertificates(join(t.testdir({}), 'certificates'));
  const { certFile, keyFile, caFile } = await certificates.server();
  const [asked, offered]: [(string | undefined)[], string[]] = [[], []];
  const [waits, said]: [boolean[], string[]] = [[], []];
  const [questions, offers, begun, contacts] = [counter(), counter(), counter(), counter()];
  let published: string | null = null;
  let publishedNow = (): void => {};
  const server = await openTlsServer({
    ...{ host: '127.0.0.1', port: 0, files: { certFile, keyFile, clientCaFile: caFile }, closeGraceMs: 1 },
    logger: createLogger({ level: 'silent' }),
    routes: [
      {
        method: 'GET',
        path: '/v1/host/policy',
        async handle({ headers, signal }) {
          const mayWait = headers.prefer !== undefined;
          waits.push(mayWait);
          if (answer === undefined && !mayWait) return NONE;
          asked.push(headers['if-none-match']);
          questions.add();
          if (answer !== undefined) return answer(mayWait);
          if (published === null || published === headers['if-none-match'])
            await new Promise<void>((resolve) => {
              publishedNow = resolve;
              signal.addEventListener('abort', () => resolve());
            });
          return published === null ? NONE : policy(published);
        },
      },
    ],
  });
  t.teardown(server.close);
  const { cert, key, ca } = await certificates.point('host-db');
  const ending = new AbortController();
  const shown = { certificate: cert, key, authority: ca, signingKeys: [], formerKeys: [], service: [server.url] };
  const identity = { v: 1 as const, point: 'host-db', ...shown };
  const newClient = (): ServiceClient => {
    const made = createServiceClient({ identity, service: [], ending: ending.signal });
    t.teardown(made.close);
    return made;
  };
  let client = newClient();
  const clock = createManualClock();
  const following = follow({
    client: () => {
      begun.add();
      return client;
    },
    offer: async (signed) => {
      const text = Buffer.from(signed).toString();
      offered.push(text);
      offers.add();
      return outcome(text);
    },
    onContact({ state }) {
      said.push(state);
      contacts.add();
    },
    ...{ clock, logger: createLogger({ level: 'silent' }), signal: ending.signal },
  });
  const end = async (): Promise<void> => {
    ending.abort();
    await following;
  };
  t.teardown(end);
  if (answer === undefined) {
    await contacts.reaches(1);
    await clock.advance(500);
  }
  return {
    ...{ waits: () => waits, contacts: () => said },
    ...{ clock, end, question: questions.reaches, offer: offers.reaches },
    ...{ begun: begun.count, contact: contacts.reaches },
    asked: () => asked.splice(0),
    offered: () => offered.splice(0),
    renew() {
      client = newClient();
    },
    publish(etag) {
      published = etag;
      publishedNow();
    },
  };
}

t.test('what may succeed later is offered again from memory, and not asked for again', async (t) => {
  let good = false;
  const here = await scene(t, { outcome: () => (good ? 'settled' : 'again') });
  const { clock, publish, question, offer, asked, offered, end } = here;
  await question(1);
  publish('"1-a"');
  await offer(1);
  await clock.advance(500);
  await question(2);
  for (let n = 2; n < 8; n += 1) {
    await clock.advance(31_000);
    await offer(n);
  }
  good = true;
  const before = 1 + offered().length;
  await clock.advance(31_000);
  await offer(before);
  await clock.advance(600_000);
  t.strictSame(new Set(offered()), new Set(['"1-a"']), 'until it is taken, and then not any more');
  t.strictSame(asked(), [undefined, '"1-a"'], 'the service is asked for what is newer, once');
  await end();
});

t.test('while one waits to be offered again the next one is heard of at once, and takes its place', async (t) => {
  const here = await scene(t, { outcome: (text) => (text === '"3-c"' ? 'settled' : 'again') });
  const { clock, publish, question, offer, asked, offered, end } = here;
  await question(1);
  publish('"1-a"');
  await offer(1);
  await clock.advance(500);
  await question(2);
  let offers = offered().length;
  publish('"2-b"');
  await offer(offers + 1);
  t.strictSame(offered(), ['"2-b"'], 'without a pause');
  await clock.advance(500);
  await question(3);
  offers += 1 + offered().length;
  publish('"3-c"');
  await offer(offers + 1);
  t.equal(offered().at(-1), '"3-c"');
  await clock.advance(600_000);
  t.strictSame(offered(), [], 'neither of the others comes again');
  t.strictSame(asked(), [undefined, '"1-a"', '"2-b"', '"3-c"']);
  await end();
});

t.test(
  'with a renewed identity the policy is asked for again: what was refused before may be believed by it',
  async (t) => {
    const here = await scene(t, {});
    const { clock, publish, question, offer, asked, offered, renew, end } = here;
    await question(1);
    publish('"1-a"');
    await offer(1);
    await clock.advance(500);
    await question(2);
    renew();
    // The question under way is one of the identity before.
    publish('"2-b"');
    await offer(2);
    await clock.advance(500);
    await question(3);
    const isAsked = t.strictSame(asked(), [undefined, '"1-a"', undefined], 'as if nothing were here');
    if (!isAsked) return end();
    await offer(3);
    await clock.advance(500);
    await question(4);
    t.strictSame(asked(), ['"2-b"'], 'once');
    t.strictSame(offered(), ['"1-a"', '"2-b"', '"2-b"']);
    await end();
  },
);

t.test('whether the service is there is known at once, and then it may take its time', async (t) => {
  const busy: HttpAnswer = { status: 503, text: '' };
  const unchanged: HttpAnswer = { status: 304, empty: true };
  const tag = '"1-a"';
  const [told, away] = ['reached', 'away'];
  const turns: [boolean, string | undefined, HttpAnswer, string][] = [
    [false, undefined, NONE, told],
    [true, undefined, policy(tag), told],
    [true, tag, unchanged, told],
    [true, tag, busy, away],
    [false, tag, busy, away],
    // A service that has only begun has nothing yet, and what it had is the same.
    [false, tag, NONE, told],
    [true, tag, unchanged, told],
    [true, tag, NONE, told],
    [true, tag, unchanged, told],
  ];
  let turn = 0;
  const answer = (): HttpAnswer => turns[turn++]?.[2] ?? busy;
  const here = await scene(t, { answer });
  for (let n = 1; n <= turns.length; n += 1) {
    for (let step = 0; step < 400 && here.begun() < n; step += 1) await here.clock.advance(100);
    await here.contact(n);
  }
  await here.end();
  const asked = here.asked();
  t.strictSame(
    here.waits().map((mayWait, n) => [mayWait, asked[n], here.contacts()[n]]),
    turns.map(([mayWait, asked, , contact]) => [mayWait, asked, contact]),
  );
});

t.test('it ends with the signal, whatever it waits for, and leaves no timer', async (t) => {
  for (const waits of ['for the service', 'to offer again', 'to ask again'] as const) {
    await t.test(waits, async (t) => {
      const here = await scene(t, { outcome: () => 'again' });
      await here.question(1);
      if (waits !== 'for the service') {
        here.publish('"1-a"');
        await here.offer(1);
        await here.clock.rest();
      }
      if (waits === 'to offer again') {
        await here.clock.advance(500);
        await here.question(2);
      }
      await here.end();
      t.equal(here.clock.pending(), 0);
      const offers = here.offered().length;
      await here.clock.advance(600_000);
      t.strictSame([here.offered().length, offers >= 1], [0, waits !== 'for the service']);
    });
  }
});

t.test('it does not end in the middle of an offer', async (t) => {
  let finish: (outcome: Outcome) => void = () => {};
  const later = new Promise<Outcome>((resolve) => {
    finish = resolve;
  });
  let offers = 0;
  const here = await scene(t, {
    outcome: () => {
      offers += 1;
      return offers === 1 ? 'again' : later;
    },
  });
  await here.question(1);
  here.publish('"1-a"');
  await here.offer(1);
  await here.clock.advance(2_000);
  await here.offer(2);
  let isOver = false;
  const over = here.end().then(() => {
    isOver = true;
  });
  await here.clock.advance(600_000);
  t.equal(isOver, false);
  finish('again');
  await over;
  t.equal(here.clock.pending(), 0);
});

t.test('a service that answers at once, against what it was asked, is asked twice a second at most', async (t) => {
  const [twice, seldom] = [500, 2_000];
  const broken: [string, number, (mayWait: boolean) => HttpAnswer][] = [
    ['that nothing is new', twice, () => ({ status: 304, empty: true })],
    ['with the same policy', twice, () => policy('"1-a"')],
    ['with a policy without a tag', seldom, () => ({ bytes: Buffer.from('?'), contentType: 'x/policy' })],
    ['that there is none', seldom, () => NONE],
    ['with what is no answer', seldom, () => ({ text: '<html>' })],
    ['that it is busy', seldom, () => ({ status: 503, text: '' })],
    [
      'where it need not wait, and else that it is busy',
      seldom,
      (mayWait) => (mayWait ? { status: 503, text: '' } : { status: 304, empty: true }),
    ],
  ];
  for (const [name, everyMs, answer] of broken) {
    await t.test(name, async (t) => {
      const here = await scene(t, { answer });
      const startMs = here.clock.now();
      for (let turn = 1; turn <= 600; turn += 1) {
        await here.contact(here.begun());
        await here.clock.advance(100);
      }
      const [most, questions] = [1 + (here.clock.now() - startMs) / everyMs, here.begun()];
      t.ok(questions <= most, `${questions} questions in a minute`);
      t.ok(questions >= 2, 'and it is asked again');
      await here.end();
    });
  }
});
