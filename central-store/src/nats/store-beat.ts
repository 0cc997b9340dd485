/**
 * Says every few seconds that the store is heard here, as long as a majority of the nodes answers: a point that hears
 * nothing looks for another node. It also finds out for the store itself that its own node is cut off.
 */
import { type NatsLink, natsLayout } from '@edgeward/policy-feed';
import type { Clock } from '@edgeward/runtime';
import { jetstreamManager } from '@nats-io/jetstream';

/** The answer ends it. */
export function keepBeating(link: NatsLink, clock: Clock): () => void {
  let cancel: () => void = () => {};
  let ended = false;

  async function once(): Promise<void> {
    const connection = link.current();
    try {
      if (connection === null || connection.isClosed()) return;
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: natsLayout.BEAT_MS });
      // Only the leader of the stream answers this, and only where it has a majority.
      await manager.streams.info(natsLayout.STREAMS.heads);
      if (!connection.isClosed()) connection.publish(natsLayout.BEAT_SUBJECT);
    } catch {
      link.hop('nobody leads the stream of heads');
    } finally {
      if (!ended) cancel = clock.after(natsLayout.BEAT_MS, () => void once());
    }
  }

  void once();
  return () => {
    ended = true;
    cancel();
  };
}
