/** Colours that say the same everywhere: red is wrong now, orange wants a look, green is as it should be. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type ThresholdsConfig,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';

export type Colours = Builder<ThresholdsConfig>;

/** From a value on the next colour; what is below the first is green. */
export function steps(...from: [value: number, color: string][]): Colours {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: 'green' }, ...from.map(([value, color]) => ({ value, color }))]);
}

/** What Prometheus adds up may be a little less than one. */
const leastCount = 0.001;

/** Anything but nothing is wrong. */
export const redAboveZero = (): Colours => steps([leastCount, 'red']);
export const orangeAboveZero = (): Colours => steps([leastCount, 'orange']);
/** A number that is neither good nor bad. */
export const plain = (): Colours =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'blue' }]);
