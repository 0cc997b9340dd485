import { natsLayout } from '@edgeward/policy-feed';
import {
  createSignedWorld,
  type NatsStore,
  requireNatsServer,
  simpleGroup,
  simpleSlices,
  startNatsStore,
} from '@edgeward/test/kit';
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import t, { type Test } from 'tap';

await requireNatsServer(t);

const { headSubject, deltaSubject, partSubject, readSubject, hintSubject, reportSubject, rootSubject } = natsLayout;
const own = 'edge-1';
const other = 'edge-2';

async function published(t: Test): Promise<NatsStore> {
  const world = await createSignedWorld();
  const members = { [simpleGroup()]: ['10.30.0.1'] };
  await world.publish(simpleSlices([own, other]), { members });
  const store = await startNatsStore({ world, nodes: 1, points: [own, other], compareMs: 500 });
  t.teardown(() => store.close());
  await store.bring();
  // Another member, so that there is a delta to be stolen.
  await world.move({ [simpleGroup()]: ['10.30.0.1', '10.30.0.2'] });
  await store.bring();
  return store;
}

async function connected(t: Test, store: NatsStore, user: string): Promise<NatsConnection> {
  const credentials = user === 'store' ? store.storeCredentials : store.credentials(user);
  if (credentials.kind !== 'password') throw new Error('a password was wanted');
  const connection = await connect({
    servers: [...store.cluster.servers],
    user: credentials.user,
    pass: credentials.password,
    inboxPrefix: user === 'store' ? natsLayout.STORE_INBOX_PREFIX : natsLayout.inboxPrefix(user),
  });
  t.teardown(() => connection.close());
  return connection;
}

/** What the server says of publishing there, or null where it says nothing. Its word comes before its answer to `flush`. */
async function refusalOf(connection: NatsConnection, subject: string, reply?: string): Promise<string | null> {
  const refused: string[] = [];
  const statuses = connection.status()[Symbol.asyncIterator]();
  const reading = (async () => {
    for (let it = await statuses.next(); it.done !== true; it = await statuses.next())
      if (it.value.type === 'error' && it.value.error instanceof PermissionViolationError)
        refused.push(it.value.error.subject);
  })();
  void reading;
  connection.publish(subject, 'x', reply === undefined ? {} : { reply });
  await connection.flush();
  await new Promise((resolve) => setImmediate(resolve));
  return refused[0] ?? null;
}

async function mayHear(connection: NatsConnection, subject: string): Promise<boolean> {
  const errors: Error[] = [];
  const callback = (thrown: Error | null): void => {
    if (thrown !== null) errors.push(thrown);
  };
  const subscription = connection.subscribe(subject, { callback });
  await connection.flush();
  if (errors.length === 0) subscription.unsubscribe();
  return errors.length === 0;
}

async function headIn(store: NatsConnection, point: string): Promise<unknown> {
  const answer = await store.request(readSubject('KV_edgeward_heads', headSubject(point)), '', { timeout: 20_000 });
  return JSON.parse(answer.string());
}

t.test('a point reads what is its own', async (t) => {
  const store = await published(t);
  const connection = await connected(t, store, own);
  const rules = store.world.at(own).head.rules.digest;
  for (const subject of [
    readSubject('KV_edgeward_heads', headSubject(own)),
    readSubject('KV_edgeward_deltas', deltaSubject(own)),
    readSubject('KV_edgeward_roots', rootSubject(1)),
    readSubject('OBJ_edgeward_blobs', partSubject(own, rules, 0)),
  ]) {
    const answer = await connection.request(subject, '', { timeout: 20_000 });
    t.equal(answer.headers?.code, 0, subject);
    t.ok(answer.data.length > 0, subject);
  }
  for (const subject of [hintSubject(own), natsLayout.BEAT_SUBJECT, `${natsLayout.inboxPrefix(own)}.x`])
    t.ok(await mayHear(connection, subject), subject);
  t.equal(await refusalOf(connection, reportSubject(own)), null);
});

t.test('a stolen user of a point reads nobody else, and writes nothing but its own report', async (t) => {
  const store = await published(t);
  const connection = await connected(t, store, own);
  const rules = store.world.at(other).head.rules.digest;
  const api = '$JS.API';
  const refused = [
    readSubject('KV_edgeward_heads', headSubject(other)),
    readSubject('KV_edgeward_heads', '$KV.edgeward_heads.>'),
    readSubject('KV_edgeward_heads', '$KV.edgeward_heads.*'),
    readSubject('KV_edgeward_deltas', deltaSubject(other)),
    readSubject('OBJ_edgeward_blobs', partSubject(other, rules, 0)),
    readSubject('OBJ_edgeward_blobs', '$O.edgeward_blobs.C.>'),
    readSubject('OBJ_edgeward_blobs', `$O.edgeward_blobs.C.*.${rules}.0`),
    readSubject('OBJ_edgeward_blobs', '$O.edgeward_blobs.M.>'),
    ...['KV_edgeward_heads', 'KV_edgeward_roots', 'OBJ_edgeward_blobs'].map((it) => `${api}.DIRECT.GET.${it}`),
    ...['KV_edgeward_heads', 'OBJ_edgeward_blobs'].map((it) => `${api}.STREAM.MSG.GET.${it}`),
    headSubject(own),
    headSubject(other),
    deltaSubject(own),
    rootSubject(2),
    partSubject(own, rules, 0),
    hintSubject(own),
    hintSubject(other),
    natsLayout.BEAT_SUBJECT,
    reportSubject(other),
    'edgeward.report.>',
    `${natsLayout.inboxPrefix(other)}.x`,
    `${api}.INFO`,
    `${api}.STREAM.LIST`,
    `${api}.STREAM.NAMES`,
    ...['INFO', 'CREATE', 'UPDATE', 'DELETE', 'PURGE', 'MSG.DELETE', 'SNAPSHOT', 'LEADER.STEPDOWN'].map(
      (verb) => `${api}.STREAM.${verb}.KV_edgeward_heads`,
    ),
    `${api}.CONSUMER.CREATE.KV_edgeward_heads`,
    `${api}.CONSUMER.CREATE.KV_edgeward_heads.mine.${headSubject(own)}`,
    `${api}.CONSUMER.DURABLE.CREATE.edgeward_reports.mine`,
    `${api}.CONSUMER.MSG.NEXT.edgeward_reports.edgeward_store`,
    `${api}.META.LEADER.STEPDOWN`,
    '$JS.ACK.edgeward_reports.edgeward_store.1.1.1.1.1',
    '$SYS.REQ.SERVER.PING',
    'anything',
  ];
  for (const subject of refused) t.equal(await refusalOf(connection, subject), subject, subject);
  for (const subject of [
    '>',
    '*',
    '_INBOX.>',
    `${natsLayout.inboxPrefix(other)}.>`,
    `${natsLayout.STORE_INBOX_PREFIX}.>`,
    hintSubject(other),
    'edgeward.hint.*',
    'edgeward.report.*',
    reportSubject(other),
    '$KV.edgeward_heads.>',
    '$JS.EVENT.>',
    '$SYS.>',
  ])
    t.notOk(await mayHear(connection, subject), subject);
});

t.test('no answer can be sent into what another point reads', async (t) => {
  const store = await published(t);
  const admin = await connected(t, store, 'store');
  const connection = await connected(t, store, own);
  const before = await headIn(admin, other);
  for (const reply of [headSubject(other), deltaSubject(other), rootSubject(2), reportSubject(other)]) {
    const reads = await refusalOf(connection, readSubject('KV_edgeward_heads', headSubject(own)), reply);
    t.equal(reads, null, 'the read itself is allowed');
    t.equal(await refusalOf(connection, reportSubject(own), reply), null, 'and so is the report');
  }
  // Whatever the server would write on its own account was written before it answered this.
  await connection.request(readSubject('KV_edgeward_heads', headSubject(own)), '', { timeout: 20_000 });
  await admin.flush();
  t.strictSame(await headIn(admin, other), before);
  const delta = await admin.request(readSubject('KV_edgeward_deltas', deltaSubject(other)), '', { timeout: 20_000 });
  t.match(delta.json(), { typ: 'edgeward-delta/1' });
  const root = await admin.request(readSubject('KV_edgeward_roots', rootSubject(2)), '', { timeout: 20_000 });
  t.equal(root.headers?.code, 404, 'no root came out of nowhere');
  t.notOk(
    store.reports.some(({ point }) => point === other),
    'nothing was said for another point',
  );
});

t.test('the store can not take away a stream, and what somebody else wrote is set right', async (t) => {
  const store = await published(t);
  const admin = await connected(t, store, 'store');
  for (const name of ['KV_edgeward_heads', 'OBJ_edgeward_blobs', 'edgeward_reports']) {
    const subject = `$JS.API.STREAM.DELETE.${name}`;
    t.equal(await refusalOf(admin, subject), subject);
  }
  const right = await headIn(admin, other);
  await admin.request(headSubject(other), '{"payload":"","signatures":[]}', { timeout: 20_000 });
  t.notSame(await headIn(admin, other), right);
  let found = await headIn(admin, other);
  for (let attempt = 0; attempt < 300 && JSON.stringify(found) !== JSON.stringify(right); attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    found = await headIn(admin, other);
  }
  t.strictSame(found, right);
});
