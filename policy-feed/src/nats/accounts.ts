/**
 * Who may do what in NATS, as data, and as the text that `nats-server` reads.
 *
 * Points live in an account of their own. In one account with the store a point's user could name any subject as the one
 * that an answer goes to, and the server would write there with the account's rights: into the head of another point.
 * Between two accounts only what is exported crosses, and an answer ends in the account that asked. For the same reason
 * a point's user makes no consumer: those deliver wherever they are told to.
 */
import {
  BEAT_SUBJECT,
  deltaSubject,
  EVERY_ROOT,
  headSubject,
  hintSubject,
  inboxPrefix,
  NATS_STREAMS,
  partsOfPoint,
  REPORT_CONSUMER,
  readSubject,
  reportSubject,
  STORE_INBOX_PREFIX,
  STREAMS,
} from './layout.ts';

export interface NatsPermissions {
  publish: string[];
  subscribe: string[];
}

/** `password` is as the server keeps it: plain, or better the bcrypt hash of it. */
export type NatsUser = { user: string; password: string } | { nkey: string };

const STORE_ACCOUNT = 'EDGEWARD_STORE';
const POINTS_ACCOUNT = 'EDGEWARD_POINTS';

/** Read its own and nothing else; say how it is; be told. For a service with several points: the rights of each. */
export function pointPermissions(points: readonly string[]): NatsPermissions {
  const reads = points.flatMap((point) => [
    readSubject(STREAMS.heads, headSubject(point)),
    readSubject(STREAMS.deltas, deltaSubject(point)),
    readSubject(STREAMS.blobs, partsOfPoint(point)),
  ]);
  return {
    publish: [...reads, readSubject(STREAMS.roots, EVERY_ROOT), ...points.map(reportSubject)],
    subscribe: [...points.map((point) => `${inboxPrefix(point)}.>`), ...points.map(hintSubject), BEAT_SUBJECT],
  };
}

/** Writes what is published, makes the streams that are missing, reads reports. It can't delete a stream. */
export function storePermissions(): NatsPermissions {
  const written = NATS_STREAMS.filter((it) => it.acknowledges);
  return {
    publish: [
      ...written.flatMap((it) => it.subjects),
      ...written.map((it) => `$JS.API.DIRECT.GET.${it.name}.>`),
      ...['INFO', 'CREATE', 'UPDATE'].flatMap((verb) => NATS_STREAMS.map((it) => `$JS.API.STREAM.${verb}.${it.name}`)),
      ...written.map((it) => `$JS.API.STREAM.PURGE.${it.name}`),
      `$JS.API.CONSUMER.INFO.${STREAMS.reports}.${REPORT_CONSUMER}`,
      `$JS.API.CONSUMER.CREATE.${STREAMS.reports}.${REPORT_CONSUMER}`,
      `$JS.API.CONSUMER.CREATE.${STREAMS.reports}.${REPORT_CONSUMER}.>`,
      `$JS.API.CONSUMER.DURABLE.CREATE.${STREAMS.reports}.${REPORT_CONSUMER}`,
      `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.reports}.${REPORT_CONSUMER}`,
      `$JS.ACK.${STREAMS.reports}.>`,
      'edgeward.hint.*',
      BEAT_SUBJECT,
    ],
    subscribe: [`${STORE_INBOX_PREFIX}.>`],
  };
}

/** What crosses between the two accounts. */
export interface NatsCrossings {
  /** Asked by points, answered by the store's account. */
  services: string[];
  /** From the store's account to points. */
  toPoints: string[];
  /** From points to the store's account. */
  toStore: string[];
}

export function natsCrossings(): NatsCrossings {
  return {
    services: NATS_STREAMS.filter((it) => it.directReads).map((it) => `$JS.API.DIRECT.GET.${it.name}.>`),
    toPoints: ['edgeward.hint.*', BEAT_SUBJECT],
    toStore: ['edgeward.report.*'],
  };
}

/** The block `accounts { … }` of a server's configuration: the same on every node. */
export function natsAccounts(of: {
  store: NatsUser;
  points: readonly { login: NatsUser; points: readonly string[] }[];
}): string {
  const { services, toPoints, toStore } = natsCrossings();
  const from = (account: string, subject: string): string => `{ account: ${account}, subject: ${quoted(subject)} }`;
  return [
    'accounts {',
    `  ${STORE_ACCOUNT} {`,
    '    jetstream: enabled',
    `    users: [\n      ${userText(of.store, storePermissions())}\n    ]`,
    list('exports', [...services.map((it) => `{ service: ${quoted(it)} }`), ...toPoints.map(streamText)]),
    list(
      'imports',
      toStore.map((it) => `{ stream: ${from(POINTS_ACCOUNT, it)} }`),
    ),
    '  }',
    `  ${POINTS_ACCOUNT} {`,
    list(
      'users',
      of.points.map(({ login, points }) => userText(login, pointPermissions(points))),
    ),
    list('exports', toStore.map(streamText)),
    list('imports', [
      ...services.map((it) => `{ service: ${from(STORE_ACCOUNT, it)} }`),
      ...toPoints.map((it) => `{ stream: ${from(STORE_ACCOUNT, it)} }`),
    ]),
    '  }',
    '}',
    '',
  ].join('\n');
}

const streamText = (subject: string): string => `{ stream: ${quoted(subject)} }`;

function list(name: string, entries: readonly string[]): string {
  return `    ${name}: [\n${entries.map((entry) => `      ${entry}`).join('\n')}\n    ]`;
}

function userText(login: NatsUser, permissions: NatsPermissions): string {
  const who =
    'nkey' in login
      ? `nkey: ${quoted(login.nkey)}`
      : `user: ${quoted(login.user)}, password: ${quoted(login.password)}`;
  const subjects = (allowed: readonly string[]): string => `[${allowed.map(quoted).join(', ')}]`;
  const rights = `publish: ${subjects(permissions.publish)}, subscribe: ${subjects(permissions.subscribe)}`;
  return `{ ${who}, permissions: { ${rights} } }`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
