/** `edgeward agent …`: what runs, and what a person does, on a host that protects itself. */
import type { Family } from '../frame/command.ts';
import { enrol } from './enrol.ts';
import { remove } from './remove.ts';
import { restore } from './restore.ts';
import { run } from './run.ts';
import { status } from './status.ts';

export const agent: Family = {
  name: 'agent',
  summary: 'On a host that protects itself: run, enrol, status, restore, remove.',
  about: ['Stopping the agent leaves its rules in force. docs/host.md goes through it from the start.'],
  commands: [run, enrol, status, restore, remove],
};
