import type { CompiledPolicy } from '@edgeward/policy';
import type { Logger } from '@edgeward/runtime';
import { createIcontrol, type Icontrol } from '../icontrol/index.ts';
import { enforcementRules } from '../irules.ts';
import { type AttachmentResult, type AttachmentTask, changeRules } from './attachment.ts';
import { type Discovery, discoverVirtuals } from './discovery.ts';
import { type Preview, previewPolicy } from './preview.ts';
import { type Verification, verifyPolicy } from './verification.ts';

/** One BIG-IP, or a pair, as a person looks at it. All but `changeRules` sends GETs only, beside login and logout. */
export interface BigipReviewOptions {
  name: string;
  /** One, or the two units of a pair. */
  urls: readonly string[];
  user: string;
  passwordFile: string;
  /** PEM of the authorities that vouch for the boxes; without it those of the system. */
  ca?: string;
  logger: Logger;
  /** What an apply may do with changes of others; it decides what is planned. Default false. */
  syncOthersChanges?: boolean;
  /** How long a pair may take to be in sync: 60 s. */
  syncTimeoutMs?: number;
  /** A client for one unit; tests hand in their own. */
  connect?: (url: string) => Icontrol;
}

export interface BigipReview {
  /** Every virtual server whose full path is not in `without`. */
  discover(without: ReadonlySet<string>, progress?: (done: number, all: number) => void): Promise<Discovery>;
  preview(policy: CompiledPolicy): Promise<Preview>;
  verify(policy: CompiledPolicy): Promise<Verification>;
  changeRules(change: Pick<AttachmentTask, 'virtuals' | 'does' | 'dryRun' | 'force'>): Promise<AttachmentResult>;
  /** Gives the tokens back. */
  close(): Promise<void>;
}

/** Connects at the first call. Throws EDW_ERR_BIGIP_URL and EDW_ERR_BIGIP_CERTIFICATE. */
export function createBigipReview(options: BigipReviewOptions): BigipReview {
  const { name: point, user, passwordFile, ca, logger, syncOthersChanges = false, syncTimeoutMs = 60_000 } = options;
  const client = (url: string): Icontrol =>
    createIcontrol({ url, user, passwordFile, logger, ...(ca !== undefined && { ca }) });
  const boxes = options.urls.map(options.connect ?? client);
  return {
    discover: (without, progress) => discoverVirtuals({ point, boxes, without, ...(progress && { progress }) }),
    preview: async (policy) =>
      previewPolicy({ point, boxes, rules: await enforcementRules(), policy, syncOthersChanges }),
    verify: async (policy) => verifyPolicy({ point, boxes, rules: await enforcementRules(), policy }),
    changeRules: async (change) =>
      changeRules({ point, boxes, rules: await enforcementRules(), syncTimeoutMs, ...change }),
    close: async () => void (await Promise.all(boxes.map((box) => box.close()))),
  };
}
