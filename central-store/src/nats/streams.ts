/**
 * The streams in NATS: made when they are missing, set right when they are otherwise, listed, written. Making them twice
 * is making them once.
 */
import { natsLayout } from '@edgeward/policy-feed';
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';

export interface Streams {
  /** Makes or sets right all of them. */
  provision(): Promise<void>;
  subjects(stream: string, filter: string): Promise<string[]>;
  /** Settles when a majority has it. */
  put(subject: string, bytes: Uint8Array | string, header?: Readonly<Record<string, string>>): Promise<void>;
  purge(stream: string, filter: string): Promise<void>;
}

const NOT_FOUND = 10059;

export async function openStreams(
  connection: NatsConnection,
  options: { replicas: number; putMs: number; askMs: number },
): Promise<Streams> {
  const { putMs, askMs } = options;
  // What the server would be asked at the start is outside the rights of this user.
  const manager: JetStreamManager = await jetstreamManager(connection, { checkAPI: false, timeout: askMs });
  const client: JetStreamClient = jetstream(connection, { timeout: putMs });

  async function provisionOne(stream: natsLayout.NatsStream): Promise<void> {
    const wanted = configOf(stream, options.replicas);
    const there = await manager.streams.info(stream.name).catch((thrown) => {
      if (thrown instanceof JetStreamApiError && thrown.code === NOT_FOUND) return null;
      throw thrown;
    });
    if (there === null) await manager.streams.add(wanted);
    else if (differs(there.config, wanted)) await manager.streams.update(stream.name, wanted);
  }

  return {
    async provision() {
      await Promise.all(natsLayout.NATS_STREAMS.map(provisionOne));
    },
    async subjects(stream, filter) {
      const { state } = await manager.streams.info(stream, { subjects_filter: filter });
      return Object.keys(state.subjects ?? {});
    },
    async put(subject, bytes, header) {
      const given = headers();
      for (const [name, value] of Object.entries(header ?? {})) given.set(name, value);
      await client.publish(subject, bytes, { timeout: putMs, ...(header !== undefined && { headers: given }) });
    },
    async purge(stream, filter) {
      await manager.streams.purge(stream, { filter });
    },
  };
}

type Config = Pick<
  StreamConfig,
  | 'name'
  | 'subjects'
  | 'retention'
  | 'storage'
  | 'discard'
  | 'num_replicas'
  | 'max_msgs_per_subject'
  | 'max_msg_size'
  | 'max_bytes'
  | 'max_age'
  | 'allow_direct'
  | 'allow_rollup_hdrs'
  | 'no_ack'
>;

function configOf(stream: natsLayout.NatsStream, replicas: number): Config {
  return {
    name: stream.name,
    subjects: [...stream.subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    // What is published is never pushed out by something newer; of reports only the newest count.
    discard: stream.acknowledges ? DiscardPolicy.New : DiscardPolicy.Old,
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    max_msg_size: stream.maxMessageBytes,
    max_bytes: stream.maxBytes,
    max_age: stream.maxAgeNanos,
    allow_direct: stream.directReads,
    allow_rollup_hdrs: stream.directReads,
    no_ack: !stream.acknowledges,
  };
}

/** What the server leaves out is its default: false, none. */
function differs(there: object, wanted: Config): boolean {
  const own = new Map<string, unknown>(Object.entries(there));
  return Object.entries(wanted).some(
    ([key, value]) => JSON.stringify(own.get(key) ?? (value === false ? false : 0)) !== JSON.stringify(value),
  );
}
