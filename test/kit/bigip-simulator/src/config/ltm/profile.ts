/** Profiles: those that every box brings along, and others derived from them. Their settings are kept, not interpreted. */
import type { Kind, Properties } from '../box-config.ts';
import { profileKinds } from '../kinds.ts';
import { merged, type ObjectRules } from '../object-rules.ts';
import { absolute, folderOf } from '../paths.ts';
import { text } from '../property-values.ts';
import type { View } from '../state.ts';

/** In /Common on every box; the first of a kind is the parent of the others. */
const BUILT_IN_PROFILES: Record<Kind, readonly string[]> = {
  'ltm profile analytics': ['analytics'],
  'ltm profile client-ssl': ['clientssl', 'clientssl-insecure-compatible', 'clientssl-secure'],
  'ltm profile fasthttp': ['fasthttp'],
  'ltm profile fastl4': ['fastL4'],
  'ltm profile ftp': ['ftp'],
  'ltm profile http': ['http', 'http-explicit', 'http-transparent'],
  'ltm profile http2': ['http2'],
  'ltm profile one-connect': ['oneconnect'],
  'ltm profile server-ssl': ['serverssl', 'serverssl-insecure-compatible'],
  'ltm profile tcp': [
    'tcp',
    'tcp-lan-optimized',
    'tcp-wan-optimized',
    'f5-tcp-lan',
    'f5-tcp-progressive',
    'f5-tcp-wan',
  ],
  'ltm profile udp': ['udp', 'udp_decrement_ttl', 'udp_gtm_dns'],
  'ltm profile websocket': ['websocket'],
};

export function profileRules(kind: Kind): ObjectRules {
  const root = `/Common/${BUILT_IN_PROFILES[kind]?.[0] ?? ''}`;
  return {
    properties(write) {
      const all = merged(write);
      if (write.fullPath === root) return all;
      const parent = absolute(text(all, 'defaultsFrom') ?? root, folderOf(write.fullPath));
      return { ...all, defaultsFrom: parent };
    },
    references: ({ properties }) =>
      typeof properties.defaultsFrom === 'string' ? [{ family: 'profile', fullPath: properties.defaultsFrom }] : [],
  };
}

export function profileKindAt(fullPath: string, view: View): Kind | null {
  return profileKinds.find((kind) => view.get(kind, fullPath) !== null) ?? null;
}

export function builtInProfiles(): { kind: Kind; fullPath: string; properties: Properties }[] {
  return Object.entries(BUILT_IN_PROFILES).flatMap(([kind, names]) =>
    names.map((name, index) => ({
      kind,
      fullPath: `/Common/${name}`,
      properties: index === 0 ? {} : { defaultsFrom: `/Common/${names[0] ?? ''}` },
    })),
  );
}
