'use client';

/**
 * Hooks for React 18 and newer, also on the server, in `StrictMode` and in concurrent rendering.
 *
 * @module @vigilhq/client/react
 */
export { VigilProvider, useVigil, type VigilProviderProps } from './provider.js';
export { useIdleWarning, type IdleWarning } from './idle-warning.js';
export { useSessions, type Sessions } from './sessions.js';
export { useRecentAuth } from './recent-auth.js';
export { useSecurityAlerts } from './security-alerts.js';
