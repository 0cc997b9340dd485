/**
 * Hints of a cluster: one subscription per point, whoever listens here for it. Whenever the connection is up again every
 * listener is told, because what was said meanwhile is lost. The store's beat is heard too: where none comes for a while,
 * the node may be cut off from the others and would go on answering with what it last knew, so another one is tried.
 */
import type { Cursor } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import type { NatsConnection } from '@nats-io/transport-node';
import { BEAT_MS, BEAT_SUBJECT, hintSubject } from './layout.ts';
import type { NatsLink } from './link.ts';

export interface HintBoard {
  /** The answer ends it. */
  listen(point: string, onHint: () => void): () => void;
  /** Whether the last hint for this point told of something newer than that: whoever reads older met a copy that lags. */
  isAhead(point: string, known: Cursor | null): boolean;
  close(): void;
}

const SILENCE_MS = 3 * BEAT_MS;
const HINT = /^(\d{1,15})\.(\d{1,15})$/;
/** A store that is away beats nowhere: then there is no reason to hurry from node to node. */
const MAX_SILENCE_MS = 5 * 60_000;

export function openHintBoard(of: { link: NatsLink; clock: Clock; random: () => number }): HintBoard {
  const { link, clock } = of;
  const listeners = new Map<string, Set<() => void>>();
  const newest = new Map<string, Pick<Cursor, 'epoch' | 'revision'>>();
  let connection: NatsConnection | null = null;
  let silenceMs = SILENCE_MS;
  let cancel: () => void = () => {};

  const tell = (point: string): void => {
    for (const listener of [...(listeners.get(point) ?? [])]) listener();
  };

  function subscribe(subject: string, onMessage: (text: string) => void): void {
    if (connection === null || connection.isClosed()) return;
    // A refused subscription comes back as an error here; polling is all there is then.
    connection.subscribe(subject, {
      callback: (error, message) => void (error === null && onMessage(message.string())),
    });
  }

  function follow(point: string): void {
    subscribe(hintSubject(point), (text) => {
      const [, epoch, revision] = HINT.exec(text) ?? [];
      if (epoch !== undefined) newest.set(point, { epoch: Number(epoch), revision: Number(revision) });
      tell(point);
    });
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
        // The subscription stays: between two questions is when the next hint comes.
        own.delete(onHint);
      };
    },
    isAhead(point, known) {
      const told = newest.get(point);
      if (told === undefined || known === null) return false;
      return told.epoch > known.epoch || (told.epoch === known.epoch && told.revision > known.revision);
    },
    close() {
      stop();
      cancel();
      listeners.clear();
    },
  };
}
