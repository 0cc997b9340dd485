/** Links as a BIG-IP writes them: on `localhost`, with its version, whoever asks. */
import type { TmosVersion } from '../simulator.ts';

export function linkTo(path: string, version: TmosVersion, query = ''): string {
  return `https://localhost/mgmt/${path}?${query === '' ? '' : `${query}&`}ver=${version}`;
}

/** `~Common~192.168.1.10%2510` of `/Common/192.168.1.10%10`. */
export function segmentOf(fullPath: string): string {
  return encodeURIComponent(fullPath.replaceAll('/', '~')).replaceAll('%3A', ':').replaceAll('%2C', ',');
}
