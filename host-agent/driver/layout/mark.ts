import { EdgewardError } from '@edgeward/runtime';
import type { HostOptions } from './host-layout.ts';

/**
 * The generation: a number in the connection's mark that says under which policy it was let in. One of another generation
 * is judged anew at its next packet.
 */

const MAX_GENERATION = 65_535;
/** What chain names are numbered by where there is no mark. */
const UNMARKED_GENERATIONS = 4_095;

/** What stands in the kernel now. */
export interface InForce {
  /** Of the policy. */
  hash: string;
  generation: number;
  /** What its samples carry. Default: what begins the hash. */
  sampled?: string;
}

/** How many there are, from 1. */
export function generationCount(mark: HostOptions['mark']): number {
  return mark === null ? UNMARKED_GENERATIONS : Math.min(MAX_GENERATION, countOf(mark));
}

/**
 * What is in force keeps its number: applying it again must write nothing. Another policy has the next one, so that a number
 * comes again after all others. Where none is in force it is taken from the hash, so that a host that lost its rules does not
 * begin where it began before.
 */
export function generationFor(hash: string, mark: HostOptions['mark'], inForce: InForce | null): number {
  const count = generationCount(mark);
  if (inForce === null || inForce.generation < 1 || inForce.generation > count)
    return 1 + (Number.parseInt(hash.slice(0, 12), 16) % count);
  return inForce.hash === hash ? inForce.generation : (inForce.generation % count) + 1;
}

/** The match and the target of the mark; both null where marks are taken by others. */
export function markArgs(mark: HostOptions['mark'], generation: number): { match: string[]; stamp: string[][] } {
  if (mark === null) return { match: [], stamp: [] };
  const value = `${hex(generation * 2 ** mark.shift)}/${hex(mark.mask >>> 0)}`;
  return { match: ['-m', 'connmark', '--mark', value], stamp: [['-j', 'CONNMARK', '--set-xmark', value]] };
}

/** How many generations fit, 0 being none. */
function countOf({ mask, shift }: { mask: number; shift: number }): number {
  const isMask = Number.isInteger(mask) && mask > 0 && mask <= 0xffff_ffff;
  const isShift = Number.isInteger(shift) && shift >= 0 && shift < 32;
  const count = isMask && isShift ? mask / 2 ** shift : 0;
  // Whole bits without a hole between them, and at least two generations to tell apart.
  const fits = Number.isInteger(count) && count >= 3 && Number.isInteger(Math.log2(count + 1));
  if (fits) return count;
  throw new EdgewardError(
    'EDW_ERR_HOST_MARK',
    `laying out a policy: mark ${mask} shifted by ${shift} is no run of bits`,
    {
      mend: 'Give a mask of at least two neighbouring bits and the number of zero bits below them, such as 0x0fff0000 and 16.',
    },
  );
}

const hex = (number: number): string => `0x${number.toString(16)}`;
