/**
 * What can be told of a foreign iRule without running it: which events it handles, how early, and whether it ends events.
 * It is a reading of text, not of Tcl: a command that is put together at run time is not seen.
 */
export interface RuleReading {
  handlers: Handler[];
  /** `event disable`, for one event or for all. */
  endsEvents: boolean;
  endsHttp: boolean;
}

export interface Handler {
  event: string;
  /** 0 to 1000, the lowest first. */
  priority: number;
}

const DEFAULT_PRIORITY = 500;

export function readRule(text: string): RuleReading {
  const code = text.replace(/^[ \t]*#.*$/gm, '');
  const general = /^[ \t]*priority[ \t]+(\d{1,4})/m.exec(code)?.[1];
  const handlers = [...code.matchAll(/\bwhen\s+([A-Z][A-Z0-9_]*)([^{\n]{0,80})/g)].map(
    ([, event = '', options = '']) => {
      const own = /\bpriority\s+(\d{1,4})/.exec(options)?.[1];
      return { event, priority: Number(own ?? general ?? DEFAULT_PRIORITY) };
    },
  );
  return {
    handlers,
    endsEvents: /\bevent\s+(?:[A-Z][A-Z0-9_]*\s+)?disable\b/.test(code),
    endsHttp: /\bHTTP::disable\b/.test(code),
  };
}
