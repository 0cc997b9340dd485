/** What is published, carried to NATS as well, and reports from there: composition only. */
import { readFile } from 'node:fs/promises';
import { readNatsCredentials } from '@edgeward/policy-feed';
import { pointReportOf } from '@edgeward/policy-format';
import { type Clock, type Logger, readSecret } from '@edgeward/runtime';
import type { NatsConfig } from '../config.ts';
import type { StoreFolder } from '../folder/store-folder.ts';
import { createNatsPublication, type NatsPublication, type PublishedState } from '../nats/index.ts';
import type { Publishing } from '../publishing/index.ts';
import { hearReport, type ReportShelf } from '../serving/index.ts';

export interface NatsParts {
  config: NatsConfig | null;
  folder: StoreFolder;
  publishing: Publishing;
  reports: ReportShelf;
  clock: Clock;
  logger: Logger;
}

/** Null where none is configured. Throws EDW_ERR_NATS_…, EDW_ERR_SECRET_FILE. */
export async function openNats(parts: NatsParts): Promise<NatsPublication | null> {
  const { config, folder, publishing, reports, clock, logger } = parts;
  if (config === null) return null;
  const publication = createNatsPublication({
    urls: config.servers,
    credentials: await readNatsCredentials(config.credentialsFile),
    tls: await tlsOf(config),
    replicas: config.replicas,
    state: publishedState(publishing, folder),
    onReport: async (point, given) => {
      const report = pointReportOf(given);
      if (report.point === point)
        await hearReport({ reports, record: folder.record }, report, { name: `point:${point}`, by: 'nats' });
    },
    clock,
    logger,
  });
  const stop = publishing.onPublished((point) => publication.headChanged(point));
  return {
    ...publication,
    close() {
      stop();
      return publication.close();
    },
  };
}

function publishedState(publishing: Publishing, { roots }: StoreFolder): PublishedState {
  return {
    points: () => [...publishing.points()].map(({ point }) => point),
    head(point) {
      const found = publishing.point(point);
      return found === null ? null : { signed: found.signed, cursor: found.cursor, blobs: found.blobs };
    },
    blob: (point, digest) => publishing.blob(digest, [point]),
    delta(point, from) {
      const news = publishing.news(point, from);
      return news.state === 'delta' ? news.delta : null;
    },
    *roots() {
      for (let version = 1; ; version += 1) {
        const signed = roots.signed(version);
        if (signed === null) return;
        yield { version, signed };
      }
    },
  };
}

async function tlsOf({ caFile, certFile, keyFile }: NatsConfig): Promise<{ ca?: string; cert?: string; key?: string }> {
  return {
    ...(caFile === null ? {} : { ca: await readFile(caFile, 'utf8') }),
    ...(certFile === null ? {} : { cert: await readFile(certFile, 'utf8') }),
    ...(keyFile === null ? {} : { key: await readSecret(keyFile) }),
  };
}
