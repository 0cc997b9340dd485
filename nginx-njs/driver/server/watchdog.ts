/**
 * Nothing survives the parent. NGINX runs in a process group of its own, so that Ctrl-C reaches the parent alone and the
 * parent decides. Beside it a shell reads from a pipe that only the parent holds: however the parent ends (return,
 * SIGINT, SIGTERM, SIGKILL, a crash) the pipe closes, and the shell ends the group, workers included. No signal handler
 * is installed in the parent; its own remain its own.
 */
import { spawn } from 'node:child_process';

/** Seconds between the orderly and the final signal. */
const graceSeconds = 3;

/**
 * `read` gives the line on an orderly end, and fails at the end of the pipe. The group is asked after every signal, so
 * that a number which is free again is not signalled.
 */
const script = `read -r word && [ "$word" = done ] && exit 0
kill -s TERM -- "-$1" 2>/dev/null || exit 0
n=0; while [ $n -lt ${graceSeconds} ]; do sleep 1; kill -s 0 -- "-$1" 2>/dev/null || exit 0; n=$((n+1)); done
kill -s KILL -- "-$1" 2>/dev/null`;

export interface Watchdog {
  /** NGINX is gone: the watchdog goes too, and touches nothing. */
  dismiss(): void;
}

/** Watches over the process group `group` until dismissed. Never keeps the parent's event loop alive. */
export function startWatchdog(group: number): Watchdog {
  const shell = spawn('/bin/sh', ['-c', script, 'edgeward-watchdog', String(group)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a shell there is no net below the parent, but NGINX itself runs; stop() and kill() still work.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  const { stdin } = shell;
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  return { dismiss: () => void stdin.end('done\n') };
}
