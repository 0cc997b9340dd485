/**
 * How a host says which policies it holds whole, so that of one that has only another number it is sent the signed head alone.
 * A name is a hint and no more: what is made by it has to be what was signed.
 */
export const HELD_HEADER = 'edgeward-held';
export const HOST_POLICY_TYPE = 'application/vnd.edgeward.host-policy';
/** The answer is the head; the rest is with the host. */
export const HOST_POLICY_HEAD_TYPE = 'application/vnd.edgeward.host-policy-head';

/** The one in force, the one that is taken over, the one to go back to, and one to spare. */
export const MAX_HELD = 4;
const NAME_CHARACTERS = 16;

/** Of whole hashes, or the first 16 hex digits of them. */
export function formatHeld(hashes: readonly string[]): string {
  return hashes
    .slice(0, MAX_HELD)
    .map((hash) => hash.slice(0, NAME_CHARACTERS))
    .join(', ');
}

/** Whether a request's header names the policy of this hash. */
export function isHeldIn(header: string | string[] | undefined, hash: string): boolean {
  const names = String(header ?? '').split(',');
  return names.slice(0, MAX_HELD).some((name) => name.trim() === hash.slice(0, NAME_CHARACTERS));
}
