import { normalisePorts, type PortRange } from '@edgeward/policy';

/** Sets of ports, compared. */

/** The ports that both hold. */
export function commonPorts(a: readonly PortRange[], b: readonly PortRange[]): PortRange[] {
  const common = a.flatMap((it) =>
    b.flatMap((other) => {
      const from = Math.max(it.from, other.from);
      const to = Math.min(it.to, other.to);
      return it.protocol === other.protocol && from <= to ? [{ protocol: it.protocol, from, to }] : [];
    }),
  );
  return normalisePorts(common);
}

/** Whether `outer` holds everything that `inner` holds. */
export function coversPorts(outer: readonly PortRange[], inner: readonly PortRange[]): boolean {
  const joined = normalisePorts([...outer]);
  return inner.every((it) =>
    joined.some((over) => over.protocol === it.protocol && over.from <= it.from && it.to <= over.to),
  );
}

export function sharePorts(a: readonly PortRange[], b: readonly PortRange[]): boolean {
  return a.some((it) =>
    b.some((other) => it.protocol === other.protocol && it.from <= other.to && other.from <= it.to),
  );
}
