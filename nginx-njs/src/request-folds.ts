import { closeFolds } from './fold-closing.ts';
import { foldZone } from './fold-zone.ts';

/**
 * Closes the windows that are over: every second, as http.conf and stream.conf say, and those of requests whenever a service
 * asks for the totals too, because a push-tls.conf of an earlier version says nothing of it.
 */
export function closeRequestFolds(session: Pick<NginxPeriodicSession, 'variables'>): void {
  close('edgeward', session.variables.edgeward_deny_log as string, true);
}

export function closeStreamFolds(session: Pick<NginxPeriodicSession, 'variables'>): void {
  close('edgeward_stream', session.variables.edgeward_deny_log as string, false);
}

/** `zones` is what the names of a transport's zones begin with. */
function close(zones: string, file: string, isHttp: boolean): void {
  const folds = foldZone(`${zones}_folds`);
  if (folds === undefined) return;
  const counts = ngx.shared[`${zones}_counts`] as NgxSharedDict<number>;
  closeFolds({ folds, counts, file, isHttp, complain: (message) => ngx.log(ngx.ERR, message) }, Date.now());
}
