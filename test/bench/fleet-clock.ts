/** One clock for all processes of a machine: times of different ones can be compared. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
