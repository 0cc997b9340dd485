export type {
  Fault,
  FaultKind,
  SimulatedCall,
  SimulatedUnit,
  SimulatedUser,
  Simulator,
  SimulatorOptions,
  TmosVersion,
} from './simulator.ts';
export { startSimulator } from './start-simulator.ts';
