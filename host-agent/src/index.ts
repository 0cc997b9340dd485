export { type AgentOptions, enrolled, startAgent } from './agent.ts';
export { type AgentConfig, agentSchema, readAgentConfig } from './config.ts';
export { enrolHost } from './enrol.ts';
export { type Owner, otherOwnerOf } from './folder-owner.ts';
export { endOf, type Identity, readIdentity } from './identity.ts';
export { removeFromHost } from './remove.ts';
export { type Restored, restoreHost } from './restore.ts';
export { type AgentStatus, readAgentStatus, type ServiceContact } from './status-file.ts';
