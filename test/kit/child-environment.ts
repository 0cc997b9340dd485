/**
 * The environment of a process that a test starts: what programs are found by, and where Node keeps what it has compiled.
 * Nothing else of the test's own; without the second a process spends most of its start on what others have done before.
 */
export function childEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }), ...more };
}
