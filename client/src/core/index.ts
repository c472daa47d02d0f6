export { createVigil } from './vigil.js';
export { VigilError } from './error.js';
export type {
  EndReason,
  Platform,
  SecurityAlert,
  Session,
  Vigil,
  VigilEvents,
  VigilOptions,
  VigilState,
} from './types.js';
