/**
 * Reads what `nginx -T` printed and says where the policy is not enforced, or not as it says. Starts nothing, asks nothing,
 * writes nothing; the same text gives the same findings.
 */
import { type CompiledPolicy, compareText } from '@edgeward/policy';
import { entriesOf, layOut } from '../entries.ts';
import { namesUnder } from '../entry-names.ts';
import { ofStream } from '../joined-zones.ts';
import { zoneBytesFor } from '../zone-size.ts';
import { answerFindings } from './answers.ts';
import { type Configuration, readDump } from './configuration.ts';
import { finding, type ServerFinding } from './finding.ts';
import { mailFindings } from './mail.ts';
import { objectFindings } from './objects.ts';
import { placementFindings } from './placement.ts';
import { addressFindings } from './real-address.ts';
import { type Server, serversOf } from './servers.ts';
import { setupFindings } from './setup.ts';
import { streamSetupFindings } from './stream-setup.ts';
import type { StreamServer } from './streams.ts';

export interface ReviewInput {
  /** What `nginx -T` printed. */
  dump: string;
  /** Of this point; null: servers are judged without one. */
  policy: CompiledPolicy | null;
  /** The file that the service reads; null: not known. */
  denyLog: string | null;
  /** How the policy comes to this NGINX; null: as the configuration itself says. */
  mode?: 'live' | 'hybrid' | 'reload' | null;
  /** Names or listeners of servers that everybody may reach. */
  open: readonly string[];
}

export interface Review {
  findings: ServerFinding[];
  servers: ReviewedServer[];
  files: string[];
}

export interface ReviewedServer {
  file: string;
  line: number;
  title: string;
  listeners: string[];
  /** `push`: where the sync service pushes to. `returns`: nothing lies behind it. */
  state: 'protected' | 'open' | 'push' | 'returns';
  object: string | null;
}

export function reviewDump({ dump, policy, denyLog, open, mode = null }: ReviewInput): Review {
  const configuration = readDump(dump);
  const servers = serversOf(configuration);
  const zoneBytes = policy === null ? null : bytesOf(policy);
  const streamZoneBytes = policy === null ? null : bytesOf(ofStream(policy));
  const enforced = new Set((policy?.objects ?? []).filter(({ mode }) => mode !== 'observe').map(({ bind }) => bind));
  const isObserved = (bind: string): boolean => !enforced.has(bind);
  const findings = [
    ...notRead(configuration),
    ...setupFindings(configuration, servers, { zoneBytes, denyLog, mode, isObserved }),
    ...streamSetupFindings(configuration, servers, { zoneBytes: streamZoneBytes, denyLog }),
    ...placementFindings(servers, new Set(open)),
    ...mailFindings(configuration, new Set(open)),
    ...answerFindings(servers),
    ...addressFindings(servers),
    ...objectFindings(servers, policy?.objects ?? null),
  ];
  return {
    findings: inOrder(findings, configuration.files),
    servers: [...servers.servers.map(reviewed), ...servers.streams.map(reviewed)],
    files: configuration.files,
  };
}

/** Names are of one length whatever they are made with; the token is nothing to a review. */
function bytesOf(policy: CompiledPolicy): number {
  return zoneBytesFor(entriesOf(layOut(policy, { nameOf: namesUnder('') })));
}

function notRead({ faults }: Configuration): ServerFinding[] {
  return faults.map(({ problem, ...place }) =>
    finding('unknown', 'EDW_WARN_NGINX_NOT_READ', place, `can't tell what stands from here on: ${problem}`),
  );
}

function inOrder(findings: ServerFinding[], files: readonly string[]): ServerFinding[] {
  const order = new Map(files.map((file, index) => [file, index]));
  const placeOf = ({ file }: ServerFinding): number => order.get(file) ?? files.length;
  return findings.sort((a, b) => placeOf(a) - placeOf(b) || a.line - b.line || compareText(a.code, b.code));
}

function reviewed(server: Server | StreamServer): ReviewedServer {
  const { file, line, title, listeners, hook, object, isPush, onlyReturns } = server;
  const open = isPush ? 'push' : onlyReturns ? 'returns' : 'open';
  return {
    ...{ file, line, title },
    listeners: listeners.map(({ text }) => text),
    state: hook === null ? open : 'protected',
    object: object.state === 'value' && hook !== null ? object.value : null,
  };
}
