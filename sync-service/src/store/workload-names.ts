import type { AddressKey, Workload } from '@edgeward/policy';

/** Names and labels of workloads by address, for whoever reads a denial. No verdict depends on it. */
export interface WorkloadNames {
  at(key: AddressKey): Workload[];
  close(): Promise<void>;
}

export const noNames: WorkloadNames = { at: () => [], close: async () => {} };
