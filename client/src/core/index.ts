/**
 * The browser's side of a Vigil service, without a framework and without dependencies.
 *
 * @module @vigilhq/client
 */
export { createVigil } from './vigil.js';
export { VigilError } from './error.js';
export type { Schemas } from './schemas.js';
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
