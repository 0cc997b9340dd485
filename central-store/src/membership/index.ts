export type { GroupChange } from './change.ts';
export { type Excess, excessOf, type MemberCounts } from './group.ts';
export {
  createMembership,
  type Exceeded,
  type GroupsSet,
  type MembersChanged,
  type Membership,
  type MembershipCounts,
  type WorkloadEdit,
} from './membership.ts';
