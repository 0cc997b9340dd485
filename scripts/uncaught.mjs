/**
 * In place of async-hook-domain, by which tap finds the test that an uncaught error belongs to. That one follows each promise
 * of the process with asynchronous hooks, which is up to half of what a test costs. Here the error belongs to the newest test
 * that has not ended: it fails a test all the same, and where tests run one after another it is the same test.
 */
const running = [];
const emit = process.emit;

function isCaught(error, event) {
  // Who listens for itself deals with it.
  if (process.hasUncaughtExceptionCaptureCallback() || process.listenerCount('uncaughtException') > 0) return false;
  const newest = running.at(-1);
  newest?.onerror(error, event);
  return newest !== undefined;
}

function onException(error, event) {
  if (!isCaught(error, event)) return;
  // This error, and no other, does not end the process.
  process.setUncaughtExceptionCaptureCallback(() => process.setUncaughtExceptionCaptureCallback(null));
}

// A listener would end the process's own handling of rejections also where no test runs.
function emitWhatIsNotCaught(event, ...rest) {
  if (event !== 'unhandledRejection' || process.listenerCount(event) > 0) return emit.call(process, event, ...rest);
  return isCaught(rest[0], event);
}

export class Domain {
  constructor(onerror) {
    this.onerror = onerror;
    if (running.push(this) > 1) return;
    process.on('uncaughtExceptionMonitor', onException);
    process.emit = emitWhatIsNotCaught;
  }

  /** tap calls it when its test has ended, or failed by such an error. */
  destroy() {
    const at = running.indexOf(this);
    if (at < 0) return;
    running.splice(at, 1);
    if (running.length > 0) return;
    process.off('uncaughtExceptionMonitor', onException);
    process.emit = emit;
  }
}
