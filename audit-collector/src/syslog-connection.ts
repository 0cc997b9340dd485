/**
 * One connection of a syslog listener: bytes in, whole frames out, as long as there is room for them. Without room it
 * does not read, and what it has read waits in its frame buffer.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createSyslogFraming, type Frame } from './syslog-framing.ts';

export interface SyslogConnection {
  /** Hands out what there is room for, and reads on if that was all. */
  drain(): void;
  /** Closes a connection that is overdue: silent, or slow to end a message that it began. Answers why. */
  sweep(nowMs: number, limits: { idleTimeoutMs: number; messageTimeoutMs: number }): 'idle' | 'slow' | null;
  /** Hands out every whole frame that was read, also without room, and ends. */
  close(): void;
}

export interface ConnectionEvents {
  hasRoom(): boolean;
  frame(frame: Frame): void;
  ended(): void;
}

export function createSyslogConnection(socket: Socket, events: ConnectionEvents): SyslogConnection {
  const framing = createSyslogFraming();
  let heardMs = performance.now();
  /** When the message that has not ended yet began. */
  let begunMs: number | null = null;
  let isHeldUp = false;
  let hasEnded = false;

  function drain(): void {
    if (hasEnded) return;
    isHeldUp = false;
    while (events.hasRoom()) {
      const frame = framing.next();
      if (frame === null) {
        begunMs = framing.unfinished() ? (begunMs ?? performance.now()) : null;
        socket.resume();
        return;
      }
      begunMs = null;
      events.frame(frame);
    }
    isHeldUp = true;
    socket.pause();
  }

  function end(): void {
    if (hasEnded) return;
    hasEnded = true;
    // At most what the buffer of one connection holds: worth more than the bound.
    for (let frame = framing.next(); frame !== null; frame = framing.next()) events.frame(frame);
    const rest = framing.end();
    if (rest !== null) events.frame(rest);
    events.ended();
  }

  socket.on('data', (chunk: Buffer) => {
    heardMs = performance.now();
    framing.push(chunk);
    drain();
  });
  socket.on('error', () => {});
  socket.on('close', end);
  return {
    drain,
    sweep(nowMs, limits) {
      // Held up by us, it has not been silent.
      if (isHeldUp || hasEnded) {
        heardMs = nowMs;
        begunMs = begunMs === null ? null : nowMs;
        return null;
      }
      const isSlow = begunMs !== null && nowMs - begunMs > limits.messageTimeoutMs;
      if (!isSlow && nowMs - heardMs <= limits.idleTimeoutMs) return null;
      socket.destroy();
      return isSlow ? 'slow' : 'idle';
    },
    close() {
      end();
      socket.destroy();
    },
  };
}
