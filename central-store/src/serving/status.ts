/** What people see of the store: each point with what it is to have and what was heard of it, and what waits for a person. */
import type { Checkpoint, PointReport } from '@edgeward/policy-format';
import type { FollowUp, Proposals } from '../proposals/proposals.ts';
import type { InventoryStatus, Publishing, PublishingStatus } from '../publishing/index.ts';
import type { AttemptRecord } from '../record/record.ts';
import type { RolloutStatus } from '../rollout/index.ts';
import type { ReportShelf } from './report-shelf.ts';

export interface StoreStatus {
  store: string;
  nowMs: number;
  /** Version of the newest trust root. */
  root: number;
  epoch: number;
  /** Newest version of the policy; null before the first. */
  version: number | null;
  revision: number;
  points: PointStatus[];
  inventory: InventoryStatus & { error: { code: string; message: string; mend: string } | null };
  refused: PublishingStatus['refused'];
  unwritten: number;
  behind: number;
  /** How far the newest version is. */
  rollout: RolloutStatus;
  followUps: FollowUp[];
  record: Checkpoint;
}

export interface PointStatus {
  point: string;
  /** In its newest head; null where an earlier process made it and nothing is known yet. */
  version: number | null;
  revision: number;
  issuedAt: string;
  expiresAt: string;
  /** Newest first, one for each service. */
  reports: { heardAtMs: number; report: PointReport }[];
}

export interface StatusSources {
  store: string;
  publishing: Publishing;
  proposals: Proposals;
  record: AttemptRecord;
  reports: ReportShelf;
  rollout: () => RolloutStatus;
  root: () => { version: number; epoch: number };
  inventoryError: () => StoreStatus['inventory']['error'];
  nowMs: () => number;
}

export function storeStatus(sources: StatusSources): StoreStatus {
  const { publishing, proposals } = sources;
  const { inventory, revision, refused, unwritten, behind } = publishing.status();
  return {
    store: sources.store,
    nowMs: sources.nowMs(),
    root: sources.root().version,
    epoch: sources.root().epoch,
    version: proposals.current()?.version ?? null,
    revision,
    points: [...publishing.points()].map(({ point, head, state }) => ({
      point,
      version: state?.version ?? null,
      revision: head.revision,
      issuedAt: head.issuedAt,
      expiresAt: head.expiresAt,
      reports: sources.reports.of(point),
    })),
    inventory: { ...inventory, error: sources.inventoryError() },
    refused,
    unwritten,
    behind,
    rollout: sources.rollout(),
    followUps: proposals.followUps(),
    record: sources.record.checkpoint(),
  };
}
