import { BOOT_ID, NO_LAST_KNOWN, WRITER } from './layout.ts';

/** The shared dictionary that holds the policy: what names one life of it, and who wrote in it. */
export type Zone = NgxSharedDict<string>;

const NOBODY = '0000000000000000';

export function bootId(zone: Zone): string {
  const known = zone.get(BOOT_ID);
  if (known !== undefined) return known;
  const bytes = crypto.getRandomValues(new Uint32Array(2));
  zone.add(BOOT_ID, `${(bytes[0] as number).toString(16)}-${(bytes[1] as number).toString(16)}`);
  return zone.get(BOOT_ID) as string;
}

export function writerOf(zone: Zone): string {
  return zone.get(WRITER) || '';
}

/** Takes the room that a push needs before the last-known file may fill the zone: only a push can empty it again. */
export function reserve(zone: Zone): void {
  bootId(zone);
  zone.add(WRITER, NOBODY);
  zone.add(NO_LAST_KNOWN, '');
}
