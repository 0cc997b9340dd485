/** One TCP connection from one source address to something that says everything again. */
import { connect } from 'node:net';

export interface Echo {
  /** What came back, as many bytes as the text has; `before` is sent first. Rejects when the connection is gone. */
  ask(text: string, before?: string): Promise<string>;
  close(): void;
}

const patienceMs = 10_000;

export function openEcho(port: number, localAddress: string): Promise<Echo> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
    socket.setEncoding('latin1').setTimeout(patienceMs, () => socket.destroy());
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject).on('error', () => socket.destroy());
      resolve({
        close: () => socket.destroy(),
        ask: (text, before = '') =>
          new Promise((told, failed) => {
            let back = '';
            const gone = (): void => failed(new Error('the connection is gone'));
            const take = (piece: string): void => {
              back += piece;
              if (back.length < text.length) return;
              socket.off('data', take).off('close', gone);
              told(back);
            };
            if (socket.destroyed) return gone();
            socket.on('data', take).once('close', gone);
            socket.write(before + text);
          }),
      });
    });
  });
}
