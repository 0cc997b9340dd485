/** What runs inside a point. The rest of this folder compiles policies and need not be bundled with it. */
export { formatAddress, keyFromBytes } from './address.ts';
export { holds } from './compiled-view.ts';
export { decideFor, judgedAddress } from './decide.ts';
export { lookup } from './interval-table.ts';
export { listsPort } from './ports.ts';
