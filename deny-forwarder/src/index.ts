export { type Forwarder, type ForwarderOptions, startForwarder } from './forwarder.ts';
export {
  FORWARDER_ENV_PREFIX,
  type ForwarderConfig,
  type ForwarderInput,
  forwarderSchema,
  readForwarderConfig,
} from './forwarder-config.ts';
