/**
 * Up to when everything that an NGINX elsewhere had written is stored here, by what its forwarder says: that nothing waits. A
 * forwarder has one batch on its way, so what is heard now was said after the one before was answered. One that has just
 * started has not looked at its log yet: two in a row have to say it, and it is believed as of the one before both. Pure.
 */

interface Statement {
  heardAtMs: number;
  isNothingWaiting: boolean;
}

interface ForwarderStatements {
  /** What was heard last; the same may be given again. */
  heard(point: string, statement: Statement): void;
  /** By the clock here; null: not known. */
  readUpToMs(point: string): number | null;
}

export function createForwarderStatements(): ForwarderStatements {
  const known = new Map<string, readonly Statement[]>();
  return {
    heard(point, statement) {
      const before = known.get(point) ?? [];
      if (before.at(-1)?.heardAtMs !== statement.heardAtMs) known.set(point, [...before.slice(-2), statement]);
    },
    readUpToMs(point) {
      const [first, second, third] = known.get(point) ?? [];
      return second?.isNothingWaiting && third?.isNothingWaiting ? (first?.heardAtMs ?? null) : null;
    },
  };
}
