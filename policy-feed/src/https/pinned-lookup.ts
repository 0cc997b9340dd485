/**
 * Names, looked up for one connection: what was checked is what is connected to. A name that answers differently the next
 * time is checked the next time. The certificate is still compared with the name, not with the address.
 */
import { type LookupAddress, lookup as lookupHost } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { storeFailure } from '../failures.ts';
import { addressRefusal } from './address-check.ts';

/** All addresses of a name. Handed in, so that a test can be a hostile resolver. */
export type Resolver = (host: string) => Promise<readonly LookupAddress[]>;

export const systemResolver: Resolver = (host) =>
  new Promise((resolve, reject) => {
    lookupHost(host, { all: true, order: 'verbatim' }, (failed, found) => (failed ? reject(failed) : resolve(found)));
  });

/** For `net.connect` and `tls.connect`, which connect to what it answers and ask nobody else. */
export function pinnedLookup(resolver: Resolver, options: { loopback: boolean }): LookupFunction {
  return (host, asked, answer) => {
    checkedAddresses(resolver, host, options).then(
      (found) => {
        const [first] = found;
        if (asked.all === true) answer(null, [...found]);
        else if (first !== undefined) answer(null, first.address, first.family);
      },
      (thrown: Error) => answer(thrown, '', 0),
    );
  };
}

/** At least one. Throws EDW_ERR_STORE_URL when there are addresses and none may be connected to. */
async function checkedAddresses(
  resolver: Resolver,
  host: string,
  options: { loopback: boolean },
): Promise<readonly LookupAddress[]> {
  const found = await resolver(host);
  const good = found.filter(({ address }) => addressRefusal(address, options) === null);
  if (good.length > 0) return good;
  const [first] = found;
  const why = first === undefined ? 'it has no address' : `${first.address} ${addressRefusal(first.address, options)}`;
  throw storeFailure('EDW_ERR_STORE_URL', `looking up ${host}: ${why}`);
}
