export type {
  Fault,
  FaultKind,
  SimulatedCall,
  SimulatedUnit,
  SimulatedUser,
  Simulator,
  SimulatorOptions,
  TclshCommand,
  TmosVersion,
} from './simulator.ts';
export { startSimulator } from './start-simulator.ts';
