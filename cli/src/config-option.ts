/** `--config`, the same in every command that reads edgeward.yaml. */
import type { Option } from './frame/command.ts';

export const configOption: Option = {
  type: 'string',
  value: 'FILE',
  says: 'Default: ./edgeward.yaml, then /etc/edgeward/edgeward.yaml.',
};
