/**
 * What is bounded before it is read, parsed or believed. The figures are part of the format: an implementation may be
 * stricter only where it says so in `docs/format.md`.
 */
export const LIMITS: Limits = {
  /** Of any JSON value here, arrays and objects together. */
  depth: 16,
  headBytes: 16 * 1024,
  deltaBytes: 8 * 1024 * 1024,
  rootBytes: 256 * 1024,
  /** An approval with its path in the slice tree. */
  approvalBytes: 64 * 1024,
  rulesBytes: 64 * 1024 * 1024,
  /** The list of member pages. */
  indexBytes: 4 * 1024 * 1024,
  pageBytes: 4 * 1024 * 1024,
  /** Pages are as many as hold about this many memberships each. */
  membersPerPage: 512,
  /** Memberships in all: pairs of a group and an address. */
  members: 4 * 1024 * 1024,
  signatures: 64,
  /** Between two heads that a point takes over: a stolen store key then can't use up all numbers with one head. */
  revisionsAtOnce: 2 ** 32,
  /**
   * In epoch 0 a revision is at most this, in epoch 1 at most twice this, and so on: whatever a stolen store key does in one
   * epoch, people open as many numbers above it with the next. BIG-IP reads numbers up to 2^40.
   */
  revisionsAnEpoch: 2 ** 36,
  /** From its issue to its end: 31 days. A stolen store key then can't keep a point from saying that it hears nothing. */
  headLifeMs: 31 * 86_400_000,
};

interface Limits {
  depth: number;
  headBytes: number;
  deltaBytes: number;
  rootBytes: number;
  approvalBytes: number;
  rulesBytes: number;
  indexBytes: number;
  pageBytes: number;
  membersPerPage: number;
  members: number;
  signatures: number;
  revisionsAtOnce: number;
  revisionsAnEpoch: number;
  headLifeMs: number;
}
