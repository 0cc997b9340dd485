/** An object whose sources fall into as many classes as there are subsets of its rules. */
import { network, policy, rule, server } from './case.ts';

const quad = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** Every `rules` consecutive bits of an address name one network each: 2^rules - 1 classes, each one address wide. */
export function fragmented(rules: number): unknown[] {
  const base = 10 * 2 ** 24;
  const bits = Array.from({ length: rules }, (_, bit) => bit);
  const cidrsOf = (bit: number): string[] =>
    Array.from({ length: 2 ** (rules - bit - 1) }, (_, i) => `${quad(base + (2 * i + 1) * 2 ** bit)}/${32 - bit}`);
  return [
    server(),
    ...bits.map((bit) => network({ name: `n${bit}`, cidrs: cidrsOf(bit) })),
    policy(...bits.map((bit) => rule({ id: `r${bit}`, from: [{ network: `n${bit}` }] }))),
  ];
}
