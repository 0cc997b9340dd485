export { type AskedAddress, type AskedRequest, askedAddresses } from './asked-address.ts';
export { type DiscoveredServer, discoverServers } from './discovery.ts';
export type { FindingCode, ServerFinding, Severity } from './finding.ts';
export { type Review, type ReviewedServer, type ReviewInput, reviewDump } from './review.ts';
