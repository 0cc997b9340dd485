/**
 * What is found in a configuration: the code, the place, what can happen, what to do. An `error` is traffic that is not
 * treated as the policy says; a `warning` is worth knowing; `unknown` is what can't be told from the configuration, with
 * the reason.
 */
import type { Place } from './configuration.ts';

export type Severity = 'error' | 'warning' | 'unknown';

export interface ServerFinding extends Place {
  severity: Severity;
  code: FindingCode;
  message: string;
  mend: string;
}

/** By code, what to do. */
const MENDS = {
  EDW_ERR_NGINX_UNPROTECTED:
    'Write `set $edgeward_server NAME;` and the include of protect.conf as its first lines, or name it with --open if everybody may reach it.',
  EDW_ERR_NGINX_WAY_AROUND:
    'Write `set $edgeward_server NAME;` and the include of protect.conf as its first lines too, or let it listen where only this machine reaches it.',
  EDW_ERR_NGINX_STREAM_AROUND: 'Remove this stream server, or let it listen where only those reach it who may.',
  EDW_ERR_NGINX_STREAM_UNPROTECTED:
    'Write `set $edgeward_server NAME;` and the include of protect-stream.conf into it, or name its listener with --open if everybody may reach it.',
  EDW_ERR_NGINX_STREAM_ZONE_MISSING: 'Include stream.conf as `edgeward nginx snippets` writes it, once in stream { }.',
  EDW_ERR_NGINX_STREAM_OBJECT_HTTP:
    'Write `protocol: tcp` in this VirtualServer, or protect a server of http { } with protect.conf in place of this one.',
  EDW_ERR_NGINX_TOO_LATE: 'Move the two lines of Edgeward to the beginning of the server.',
  EDW_ERR_NGINX_IN_LOCATION: 'Move the two lines of Edgeward out of the location, to the beginning of the server.',
  EDW_ERR_NGINX_NAMED_ERROR_PAGE:
    'Lead these errors to a path (`error_page 400 /error`), which is judged, or to a named location that only returns.',
  EDW_ERR_NGINX_REFUSAL_REPLACED:
    'Include protect.conf as it is: its `return` has a text, and what has a text no error_page replaces.',
  EDW_ERR_NGINX_FAILS_OPEN:
    'Include http.conf and protect.conf as `edgeward nginx snippets` writes them: only `pass` may let a request in.',
  EDW_ERR_NGINX_REALIP_ANYBODY:
    'Write the addresses of your own balancers in set_real_ip_from, and nothing wider; with real_ip_recursive on.',
  EDW_ERR_NGINX_REALIP_LOCATION: 'Move these lines to `server` or `http`.',
  EDW_ERR_NGINX_ZONE_FORGETS:
    'Write the zone without evict and timeout, as `edgeward nginx snippets` does: js_shared_dict_zone zone=edgeward:64m;',
  EDW_ERR_NGINX_ZONE_SMALL:
    'Write the size that is named in http.conf, or for edgeward_stream in stream.conf, and reload NGINX.',
  EDW_ERR_NGINX_ZONE_MISSING: 'Include http.conf as `edgeward nginx snippets` writes it, once in http { }.',
  EDW_ERR_NGINX_OBJECT_UNKNOWN:
    'Correct `set $edgeward_server`, or add a VirtualServer with this `bind` to the policy (`edgeward nginx discover`).',
  EDW_ERR_NGINX_OBJECT_UNUSED:
    'Set $edgeward_server to this `bind` in the server that is meant, or remove the VirtualServer.',
  EDW_ERR_NGINX_SNAPSHOT_MISSING: 'Include reload.conf as `edgeward nginx snippets` writes it, once in http { }.',
  EDW_ERR_NGINX_STALE_FLAGS:
    'Include protect.conf as `edgeward nginx snippets` writes it: it sets open_file_cache for the server.',
  EDW_WARN_NGINX_NAMELESS: 'Write `set $edgeward_server NAME;` before the include of protect.conf.',
  EDW_WARN_NGINX_OBJECT_TWICE: 'Give each server an object of its own, unless both are one service to you.',
  EDW_WARN_NGINX_OBJECT_VARIABLE:
    'Write one name: `set $edgeward_server NAME;`, and a server for each object. See that no client chooses the value.',
  EDW_WARN_NGINX_PORT_NOT_LISTED:
    'Add the port to `ports` of the VirtualServer, or write `set $edgeward_port` where clients connect to another one.',
  EDW_WARN_NGINX_HTTP3: 'Take `quic` off this listener; HTTP/3 is not served yet.',
  EDW_WARN_NGINX_PROXY_PROTOCOL:
    'Write `set_real_ip_from` with the addresses of the balancers, and in http { } `real_ip_header proxy_protocol;`.',
  EDW_WARN_NGINX_DENY_LOG: 'Let $edgeward_deny_log name the file that `denyLog` of this point names.',
  EDW_WARN_NGINX_ACCESS_LOG: 'Repeat the inherited access_log in this server.',
  EDW_WARN_NGINX_OWN_ACCESS: 'Let the policy say who may, and remove allow and deny; or keep them, knowing this.',
  EDW_WARN_NGINX_LUA:
    'Look what this code does by itself; let it answer nothing and set nothing of Edgeward, or move it into locations.',
  EDW_WARN_NGINX_MAIL:
    'Let a packet filter say who reaches it, or move the service to stream { } and protect it there; or name its listener with --open if everybody may reach it.',
  EDW_WARN_NGINX_NOT_READ: 'Give the whole, unchanged output of `nginx -T`.',
  EDW_WARN_NGINX_MODULE:
    'Write `load_module modules/ngx_http_js_module.so;` at the top, and ngx_stream_js_module.so for stream { }, unless NGINX was built with njs.',
  EDW_WARN_NGINX_REALIP_NAME: 'Write addresses in set_real_ip_from.',
} as const;

export type FindingCode = keyof typeof MENDS;

export function finding(severity: Severity, code: FindingCode, { file, line }: Place, message: string): ServerFinding {
  return { severity, code, file, line, message, mend: MENDS[code] };
}
