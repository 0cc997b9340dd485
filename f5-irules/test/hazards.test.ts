/** What on a box keeps a policy from being enforced as it is written is found and named, with its mend. */
import t from 'tap';
import { createHazardMemory } from '../driver/hazard-memory.ts';
import { findHazards } from '../driver/hazards.ts';
import { objectPath } from '../driver/icontrol/index.ts';
import { enforcementRules } from '../driver/irules.ts';
import { readRule } from '../driver/rule-text.ts';
import { virtualHazards } from '../driver/virtual-hazards.ts';
import { startBox, type TestBox } from './fixtures/box.ts';
import { smallPolicy } from './fixtures/policies.ts';

const L4 = '/Edgeward/eg_enforce_l4_v1';
const L7 = '/Edgeward/eg_enforce_l7_v1';
const VIRTUALS = 'tm/ltm/virtual';
const rules = await enforcementRules();
const ORDERS = objectPath(VIRTUALS, '/Common/vs_orders');

const policy = (protocol: 'http' | 'tcp', ...binds: string[]) =>
  smallPolicy({ revision: 1, binds, protocol, ...(protocol === 'http' && { http: [{ path: '/v1/*' }] }) });

async function found(box: TestBox): Promise<string[]> {
  const hazards = await box.point().hazards();
  for (const { words, mend } of hazards) t.ok(words !== '' && mend !== '', 'each has words and a mend');
  return hazards.map(({ object, code }) => `${object} ${code}`).sort();
}

async function makePublisher(box: TestBox): Promise<void> {
  const publisher = { name: 'eg_audit', partition: 'Edgeward', destinations: [{ name: '/Common/local-syslog' }] };
  await box.admin().create('tm/sys/log-config/publisher', publisher);
}

t.test('a virtual server that is missing, or to which too little is attached', async (t) => {
  const box = await startBox(t);
  await makePublisher(box);
  t.strictSame(await found(box), [], 'without a policy there is nothing to say');
  await box.point().apply(policy('http', '/Common/vs_orders', '/Common/vs_gone'));
  const others = ['/Common/vs_gone virtual-missing'];
  const attached: [string[], string[]][] = [
    [['/Common/customers_rule'], ['not-attached']],
    [[L4], ['requests-not-judged']],
    [[L7], ['connections-not-judged']],
    [[L4, L7], []],
  ];
  for (const [rules, codes] of attached) {
    await box.admin().modify(ORDERS, { rules });
    const wanted = [...others, ...codes.map((code) => `/Common/vs_orders ${code}`)].sort();
    t.strictSame(await found(box), wanted, rules.join(' '));
  }
});

t.test('a name that has no address in iControl REST is told instead of failing the rest', async (t) => {
  const box = await startBox(t);
  const bound = new Map([['/Common/vs~tilde', { protocol: 'tcp', requests: null, proxies: false } as const]]);
  const hazards = await findHazards(box.admin(), bound, rules);
  t.match(hazards[0], { object: '/Common/vs~tilde', code: 'virtual-not-readable' });
});

t.test('a virtual server whose requests nobody sees, a publisher that is missing', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  await admin.create(VIRTUALS, {
    name: 'vs_plain',
    partition: 'Common',
    destination: '/Common/10.0.0.5:443',
    ipProtocol: 'tcp',
    profiles: [{ name: '/Common/tcp' }],
  });
  await admin.create(VIRTUALS, {
    name: 'vs_fast',
    partition: 'Common',
    destination: '/Common/10.0.0.6:443',
    ipProtocol: 'tcp',
    profiles: [{ name: '/Common/fastL4' }],
  });
  await box.point().apply(policy('http', '/Common/vs_plain', '/Common/vs_fast'));
  for (const name of ['vs_plain', 'vs_fast']) {
    // The box itself refuses the rule of layer 7 where there is no HTTP profile.
    await admin.modify(objectPath(VIRTUALS, `/Common/${name}`), { rules: [L4] });
  }
  t.strictSame(await found(box), [
    '/Common/vs_fast fast-l4',
    '/Common/vs_fast requests-not-judged',
    '/Common/vs_plain no-http-profile',
    '/Common/vs_plain requests-not-judged',
    '/Edgeward/eg_audit audit-publisher-missing',
  ]);
});

const ours = [rules.l4, rules.l7].map(({ fullPath, text }) => ({ fullPath, text }));
const foreign = (text: string | null, fullPath = '/Common/theirs') => ({ fullPath, text });
const plainHttp = { fullPath: '/Common/http', proxyType: 'reverse', passesThrough: [] };

t.test('foreign rules that run first, or end what ours need', async (t) => {
  const late = foreign('when HTTP_REQUEST { }');
  const cases: { name: string; attached: { fullPath: string; text: string | null }[]; codes: string[] }[] = [
    { name: 'later by the default priority, wherever it is attached', attached: [late, ...ours], codes: [] },
    {
      name: 'an earlier priority',
      attached: [...ours, foreign('when HTTP_REQUEST priority 9 { }')],
      codes: ['rule-before-ours'],
    },
    {
      name: 'the same priority, attached first',
      attached: [foreign('when CLIENT_ACCEPTED priority 10 {}'), ...ours],
      codes: ['rule-before-ours'],
    },
    {
      name: 'the same priority, attached last',
      attached: [...ours, foreign('when CLIENT_ACCEPTED priority 10 {}')],
      codes: [],
    },
    {
      name: 'a priority for the whole rule',
      attached: [...ours, foreign('priority 1\nwhen HTTP_REQUEST {\n}')],
      codes: ['rule-before-ours'],
    },
    {
      name: 'a priority behind timing',
      attached: [...ours, foreign('when HTTP_REQUEST timing on priority 5 {\n}')],
      codes: ['rule-before-ours'],
    },
    {
      name: 'early in an event that ours do not handle',
      attached: [...ours, foreign('when HTTP_RESPONSE priority 1 { }')],
      codes: [],
    },
    {
      name: 'both events',
      attached: [foreign('when CLIENT_ACCEPTED priority 1 { }\nwhen HTTP_REQUEST priority 1 { }'), ...ours],
      codes: ['rule-before-ours', 'rule-before-ours'],
    },
    {
      name: 'event disable',
      attached: [...ours, foreign('when HTTP_REQUEST { event disable all }')],
      codes: ['rule-ends-events'],
    },
    {
      name: 'event disable of one',
      attached: [...ours, foreign('when CLIENT_DATA { event HTTP_REQUEST disable }')],
      codes: ['rule-ends-events'],
    },
    {
      name: 'event disable in a comment',
      attached: [...ours, foreign('when CLIENT_DATA {\n  # event disable all\n}')],
      codes: [],
    },
    {
      name: 'HTTP::disable',
      attached: [...ours, foreign('when CLIENT_ACCEPTED { HTTP::disable }')],
      codes: ['rule-ends-http'],
    },
    {
      name: 'a rule that nobody may read',
      attached: [...ours, foreign(null)],
      codes: ['rule-not-readable'],
    },
    {
      name: 'another vendor, unread',
      attached: [...ours, foreign(null, '/Common/Illumio_VIP_1')],
      codes: ['rule-not-readable', 'other-vendor'],
    },
    {
      name: 'another vendor',
      attached: [...ours, foreign('when CLIENT_ACCEPTED { }', '/Common/Illumio_VIP_1')],
      codes: ['other-vendor'],
    },
  ];
  for (const { name, attached, codes } of cases) {
    const entry = { protocol: 'http', requests: null, proxies: false } as const;
    const hazards = virtualHazards(
      { bind: '/Common/vs', entry, attached, policies: [], http: [plainHttp], streams: [], isFastL4: false },
      rules,
    );
    t.strictSame(
      hazards.map(({ code }) => code),
      codes,
      name,
    );
    t.ok(hazards.every(({ object }) => object === '/Common/vs'));
  }
});

t.test('an LTM policy is named; a tcp object needs no HTTP profile and no judge of requests', (t) => {
  const entry = { protocol: 'tcp', requests: null, proxies: false } as const;
  const facts = {
    bind: '/Common/vs',
    entry,
    attached: [{ fullPath: L4, text: rules.l4.text }],
    http: [],
    streams: ['/Common/http2'],
    isFastL4: true,
  };
  const hazards = virtualHazards({ ...facts, policies: ['/Common/forwards\u001b[31m'] }, rules);
  t.strictSame(
    hazards.map(({ code }) => code),
    ['ltm-policy'],
  );
  t.notOk(hazards[0]?.words.includes('\u001b'), 'what the box says moves no terminal');
  t.end();
});

t.test('our own rules read as what they are: early, and ending nothing', (t) => {
  for (const { text } of [rules.l4, rules.l7]) {
    const reading = readRule(text);
    t.match(reading, { endsEvents: false, endsHttp: false });
    const judging = reading.handlers.filter(({ event }) => event !== 'RULE_INIT');
    t.ok(judging.length > 0 && judging.every(({ priority }) => priority === 10));
  }
  t.end();
});

t.test('an HTTP profile that lets requests pass unseen is named with what it lets pass', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  await makePublisher(box);
  await box.point().apply(policy('http', '/Common/vs_orders'));
  await admin.modify(ORDERS, { rules: [L4, L7] });
  const cases: [Record<string, unknown>, string[], RegExp?][] = [
    [{ enforcement: { unknownMethod: 'allow', pipeline: 'reject', maxHeaderCount: 64 } }, []],
    [{ enforcement: { unknownMethod: 'pass-through' } }, ['http-pass-through'], /unknownMethod/],
    [{ enforcement: { oversizeClientHeaders: 'pass-through', pipeline: 'pass-through' } }, ['http-pass-through']],
    [{ enforcement: { excessClientHeaders: 'pass-through' } }, ['http-pass-through']],
    [{ enforcement: { oversizeServerHeaders: 'pass-through' } }, []],
    [{ proxyType: 'explicit' }, ['http-proxy-mode'], /explicit/],
    [{ proxyType: 'transparent' }, ['http-proxy-mode'], /transparent/],
    [{ proxyType: 'reverse' }, []],
  ];
  for (const [index, [settings, codes, words]] of cases.entries()) {
    const name = `http_${index}`;
    await admin.create('tm/ltm/profile/http', { name, partition: 'Common', defaultsFrom: '/Common/http', ...settings });
    await admin.modify(ORDERS, { profiles: [{ name: '/Common/tcp' }, { name: `/Common/${name}` }] });
    const hazards = await box.point().hazards();
    const claim = JSON.stringify(settings);
    t.strictSame(
      hazards.map(({ code }) => code),
      codes,
      claim,
    );
    if (words !== undefined) t.match(hazards[0]?.words, words, claim);
  }
  await admin.modify(ORDERS, { profiles: ['tcp', 'http', 'http2'].map((name) => ({ name: `/Common/${name}` })) });
  t.strictSame(await found(box), ['/Common/vs_orders http-proxy-mode'], 'HTTP/2');
});

t.test('what did not change is not asked for again, and what did is', async (t) => {
  const box = await startBox(t);
  const admin = box.admin();
  await makePublisher(box);
  const binds = ['/Common/vs_orders', '/Common/vs_crm'];
  const point = box.point();
  await point.apply(policy('http', ...binds));
  for (const bind of binds)
    await admin.modify(objectPath(VIRTUALS, bind), { rules: [L4, L7, '/Common/customers_rule'] });
  const reads = async (look: () => Promise<unknown>): Promise<string[]> => {
    const before = box.unit.calls().length;
    await look();
    const calls = box.unit.calls().slice(before);
    return calls.flatMap(({ path }) => /(?:virtual|rule)\/~.*?~(\w+)/.exec(path)?.[1] ?? []).sort();
  };
  const all = ['customers_rule', 'eg_enforce_l4_v1', 'eg_enforce_l7_v1', 'vs_crm', 'vs_orders'];
  t.strictSame(await reads(() => point.hazards()), all, 'each once, however many use it');
  t.strictSame(await reads(() => point.hazards()), [], 'and not again');
  await admin.modify(objectPath('tm/ltm/rule', '/Common/customers_rule'), {
    apiAnonymous: 'when HTTP_REQUEST { event disable all }',
  });
  let hazards: { code: string }[] = [];
  t.strictSame(
    await reads(async () => {
      hazards = await point.hazards();
    }),
    ['customers_rule'],
  );
  t.strictSame(
    hazards.map(({ code }) => code),
    ['rule-ends-events', 'rule-ends-events'],
    'what changed is seen at once',
  );

  let nowMs = 0;
  const memory = createHazardMemory(() => nowMs);
  const bound = new Map([['/Common/vs_crm', { protocol: 'http', requests: null, proxies: false } as const]]);
  const look = () => findHazards(admin, bound, rules, memory);
  const crm = all.filter((name) => name !== 'vs_orders');
  t.strictSame(await reads(look), crm);
  nowMs = 15 * 60_000 - 1;
  t.strictSame(await reads(look), []);
  nowMs += 1;
  t.strictSame(await reads(look), crm, 'after a quarter of an hour, whatever the generation');
});
