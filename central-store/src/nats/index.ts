export {
  createNatsPublication,
  type NatsPublication,
  type NatsPublicationOptions,
  type NatsPublicationStatus,
} from './nats-publication.ts';
export type { Publication, PublishedHead, PublishedState } from './published-state.ts';
