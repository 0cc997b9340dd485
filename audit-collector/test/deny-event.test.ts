import { readFileSync, writeFileSync } from 'node:fs';
import { type DenyRecord, parseDenyLine } from '@edgeward/deny-log';
import t from 'tap';
import * as z from 'zod';
import { type DenyEvent, denyEvent, denyEventSchema } from '../src/deny-event.ts';
import { denyLine, labels, t0 } from './kit.ts';

/** As it happens in the collector: through the line, never past its checks. */
function eventOf(overrides: Partial<DenyRecord>): DenyEvent {
  const { records } = parseDenyLine(Buffer.from(denyLine(overrides).trimEnd()));
  return denyEvent(records[0] as DenyRecord, 'edge-1', labels);
}

t.test('an event says who was refused what, where and why, with the labels of both ends', async (t) => {
  t.strictSame(eventOf({ source: '10.30.1.4', peer: '10.30.1.4', reason: 'request-not-allowed', ref: '7f3k' }), {
    v: 1,
    ref: '7f3k',
    time: '2026-11-22T10:00:00.000Z',
    windowStart: '2026-11-22T10:00:00.000Z',
    windowEnd: '2026-11-22T10:00:00.000Z',
    count: 1,
    point: 'edge-1',
    object: 'order-front',
    objectLabels: { app: 'shop' },
    source: '10.30.1.4',
    sourcePort: 53122,
    sourceWorkloads: ['crm-1'],
    sourceNetworks: ['office'],
    sourceLabels: { app: 'crm' },
    labelsRevision: 12,
    peer: null,
    port: 'tcp/443',
    method: 'GET',
    path: '/v1/orders/7',
    truncated: false,
    host: 'shop.example',
    verdict: 'deny',
    reason: 'request-not-allowed',
    rule: null,
    revision: 12,
    nearestRule: null,
    missed: null,
  });
});

const asked = { peer: null, peerPort: null, method: null, path: null, host: null };
const flooded = { ...asked, truncated: true, count: 4980, firstMs: t0 - 9_999 };

t.test('what a record says becomes what an event says', async (t) => {
  const table: [name: string, record: Partial<DenyRecord>, expect: Partial<DenyEvent>][] = [
    ['the nearest rule and what it missed', {}, { nearestRule: 'crm-orders', missed: 'source' }],
    [
      'behind a trusted proxy',
      { peer: '198.51.100.7' },
      { source: '10.9.9.9', peer: '198.51.100.7', sourcePort: null },
    ],
    ['an IPv4-mapped peer is the source itself', { peer: '::ffff:10.9.9.9' }, { peer: null, sourcePort: 53122 }],
    [
      'an IPv6 source has one spelling',
      { source: '2001:DB8:0:0::01', peer: '2001:db8::1' },
      { source: '2001:db8::1', peer: null },
    ],
    ['an object that the policy lacks', { object: 'old' }, { object: 'old', objectLabels: {} }],
    ['no object', { object: '' }, { object: '', objectLabels: {} }],
    ['a query is never kept', { path: '/login?password=secret' }, { path: '/login', truncated: false }],
    ['a long path', { path: `/${'é'.repeat(600)}` }, { path: `/${'é'.repeat(511)}`, truncated: true }],
    ['a path that was cut at the point', { truncated: true }, { path: '/v1/orders/7', truncated: true }],
    ['a long host', { host: 'h'.repeat(300) }, { host: 'h'.repeat(256), truncated: true }],
    ['a long method', { method: 'M'.repeat(300) }, { method: 'M'.repeat(64), truncated: true }],
    ['no request', { method: '', path: '', host: '' }, { method: null, path: null, host: null }],
    ['no reference', { ref: null }, { ref: null }],
    ['a rule that denied', { reason: 'denied-by-rule', rule: 'no-bots' }, { rule: 'no-bots', nearestRule: null }],
    ['an object in observe', { verdict: 'would-deny' }, { verdict: 'would-deny' }],
    ['a unix socket', { source: 'unix:', peer: 'unix:' }, { source: '', peer: null }],
    ['no address', { source: null, peer: null, peerPort: null }, { source: '', peer: null, sourcePort: null }],
    ['what NGINX refused itself', { method: null, path: null, host: null }, { method: null, path: null, host: null }],
    [
      'so many of a flood',
      { ...flooded, source: '10.30.1.4' },
      { count: 4980, time: '2026-11-22T10:00:00.000Z', windowStart: '2026-11-22T09:59:50.001Z', source: '10.30.1.4' },
    ],
    ['a flood of many sources', { ...flooded, source: null }, { source: '', sourcePort: null, peer: null }],
    ['a flood has the rule that came nearest', flooded, { nearestRule: 'crm-orders', missed: 'source' }],
    ['but not by what was asked for', { ...flooded, reason: 'bad-request' }, { nearestRule: null, missed: null }],
    [
      'a window that a clock turned around',
      { ...flooded, firstMs: t0 + 10_000 },
      { windowStart: '2026-11-22T10:00:00.000Z', windowEnd: '2026-11-22T10:00:00.000Z' },
    ],
    ['hostile text stays text', { path: '/\0\u001b[2J\ud800' }, { path: '/\0\u001b[2J\uFFFD' }],
  ];
  for (const [name, record, expect] of table) {
    const event = eventOf(record);
    t.match(event, expect, name);
    t.ok(denyEventSchema.safeParse(event).success, `${name}: conforms to the schema`);
  }
});

t.test('docs/deny-event.schema.json is what the code checks', async (t) => {
  const file = new URL('../../docs/deny-event.schema.json', import.meta.url);
  const schema = `${JSON.stringify(z.toJSONSchema(denyEventSchema), null, 2)}\n`;
  if (process.env.TAP_SNAPSHOT === '1') writeFileSync(file, schema);
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(schema), 'TAP_SNAPSHOT=1 writes it anew');
});
