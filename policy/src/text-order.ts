/** The order of ASCII text. `localeCompare` would make what is compiled depend on the machine. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
