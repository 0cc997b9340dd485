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
  headLifeMs: number;
}
