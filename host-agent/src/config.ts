/**
 * `/etc/edgeward/agent.yaml` as the agent uses it. Where the service is and who this host is come from enrolment, so that an
 * empty file is a whole configuration. This module is given what the file says and reads no file.
 */
import { resolve } from 'node:path';
import { type LogLevel, loadConfig } from '@edgeward/runtime';
import * as z from 'zod';
import type { HostOptions } from '../driver/index.ts';

const serviceUrl = z.string().regex(/^https:\/\/[^/?#@\s]+$/, 'an address such as https://edgeward.example:7443');

const mark = z.union([
  z.literal('off'),
  z.strictObject({
    mask: z.int().min(1).max(0xffff_ffff).describe('The bits that are ours.'),
    shift: z.int().min(0).max(31).describe('Zero bits below them.'),
  }),
]);

/** Every key, with what docs/host.md says of it. */
export const agentSchema: z.ZodType<AgentInput, unknown> = z.strictObject({
  service: z
    .array(serviceUrl)
    .default([])
    .describe('Addresses of the sync service for hosts. Without any: those that enrolment told.'),
  rootFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The first trust root of the central store, `roots/1.json`, brought here by hand: approvals are then verified on this host, and its service's word is not enough.",
    ),
  stateDir: z
    .string()
    .default('/var/lib/edgeward-agent')
    .describe('Identity, last-known-good policy, denials that are not yet sent.'),
  runtimeDir: z
    .string()
    .default('/run/edgeward-agent')
    .describe('What `edgeward agent status` reads, and samples of denials: a folder in memory.'),
  backend: z
    .enum(['auto', 'nft', 'legacy'])
    .default('auto')
    .describe("`auto`: where the host's rules are, iptables-nft where there are none."),
  mark: mark
    .default({ mask: 0x0fff_0000, shift: 16 })
    .describe('Bits of the connection mark for judging live connections anew, or `off` where others use them all.'),
  verdict: z
    .enum(['exclusive', 'coexist'])
    .default('exclusive')
    .describe('`coexist`: what policy allows goes on to the rules of others, which may deny it.'),
  publishedPorts: z
    .boolean()
    .default(false)
    .describe('Judge connections to published ports of containers too, by the port that was called.'),
  reaction: z
    .enum(['repair', 'report'])
    .default('repair')
    .describe('When somebody changes our rules or sets: put them back, or only say so.'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('JSON lines on stderr.'),
});

export interface AgentInput {
  service: string[];
  rootFile?: string | undefined;
  stateDir: string;
  runtimeDir: string;
  backend: 'auto' | 'nft' | 'legacy';
  mark: 'off' | { mask: number; shift: number };
  verdict: 'exclusive' | 'coexist';
  publishedPorts: boolean;
  reaction: 'repair' | 'report';
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface AgentConfig {
  /** Empty: those that enrolment told. */
  service: readonly string[];
  /** Null: the word of the service is taken. */
  rootFile: string | null;
  stateDir: string;
  runtimeDir: string;
  backend: 'auto' | 'nft' | 'legacy';
  reaction: 'repair' | 'report';
  logLevel: LogLevel;
  /** Without the addresses of the service: nothing is opened for them. */
  host: HostOptions;
}

/** Of environment variables only `EDGEWARD_AGENT_…` count. Throws EDW_ERR_CONFIG with every problem. */
export function readAgentConfig(input: {
  value: unknown;
  file: string;
  env?: Record<string, string | undefined>;
}): AgentConfig {
  const parsed = loadConfig({ schema: agentSchema, ...input, envPrefix: 'EDGEWARD_AGENT_' });
  const { service, backend, reaction, logLevel, verdict, publishedPorts } = parsed;
  return {
    service,
    rootFile: parsed.rootFile === undefined ? null : resolve(parsed.rootFile),
    stateDir: resolve(parsed.stateDir),
    runtimeDir: resolve(parsed.runtimeDir),
    backend,
    reaction,
    logLevel,
    host: { mark: parsed.mark === 'off' ? null : parsed.mark, verdict, publishedPorts },
  };
}
