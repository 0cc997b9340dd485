/**
 * Hints of a cluster: one subscription per point, whoever listens here for it. Whenever the connection is up again every
 * listener is told, because what was said meanwhile is lost. The store's beat is heard too: where none comes for a while,
 * the node may be cut off from the others and would go on answering with what it last knew, so another one is tried.
 */
import type { Clock } from '@edgeward/runtime';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { BEAT_MS, BEAT_SUBJECT, hintSubject } from './layout.ts';
import type { NatsLink } from './link.ts';

export interface HintBoard {
  /** The answer ends it. */
  listen(point: string, onHint: () => void): () => void;
  close(): void;
}

const SILENCE_MS = 3 * BEAT_MS;
/** A store that is away beats nowhere: then there is no reason to hurry from node to node. */
const MAX_SILENCE_MS = 5 * 60_000;

export function openHintBoard(of: { link: NatsLink; clock: Clock; random: () => number }): HintBoard {
  const { link, clock } = of;
  const listeners = new Map<string, Set<() => void>>();
  const subscriptions = new Map<string, Subscription>();
  let connection: NatsConnection | null = null;
  let silenceMs = SILENCE_MS;
  let cancel: () => void = () => {};

  const tell = (point: string): void => {
    for (const listener of [...(listeners.get(point) ?? [])]) listener();
  };

  function subscribe(subject: string, onMessage: () => void): Subscription | null {
    if (connection === null || connection.isClosed()) return null;
    // A refused subscription comes back as an error here; polling is all there is then.
    return connection.subscribe(subject, { callback: (error) => void (error === null && onMessage()) });
  }

  function follow(point: string): void {
    const subscription = subscribe(hintSubject(point), () => tell(point));
    if (subscription !== null) subscriptions.set(point, subscription);
  }

  function awaitBeat(): void {
    cancel();
    cancel = clock.after(silenceMs * (1 + of.random() / 4), () => {
      silenceMs = Math.min(MAX_SILENCE_MS, silenceMs * 2);
      link.hop('no beat of the store is heard');
      awaitBeat();
    });
  }

  const stop = link.onUp((it) => {
    if (it !== connection) {
      connection = it;
      subscriptions.clear();
      for (const point of listeners.keys()) follow(point);
      subscribe(BEAT_SUBJECT, () => {
        silenceMs = SILENCE_MS;
        awaitBeat();
      });
    }
    awaitBeat();
    for (const point of [...listeners.keys()]) tell(point);
  });

  return {
    listen(point, onHint) {
      const known = listeners.get(point);
      const own = known ?? new Set();
      own.add(onHint);
      listeners.set(point, own);
      if (known === undefined) follow(point);
      return () => {
        own.delete(onHint);
        if (own.size > 0 || listeners.get(point) !== own) return;
        listeners.delete(point);
        subscriptions.get(point)?.unsubscribe();
        subscriptions.delete(point);
      };
    },
    close() {
      stop();
      cancel();
      listeners.clear();
    },
  };
}
