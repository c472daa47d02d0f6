'use client';

import { useEffect } from 'react';
import type { SecurityAlert } from '../core/types.js';
import { useLatest } from './latest.js';
import { useProvided } from './provider.js';

/**
 * Calls the listener, always that of the latest render, for each alert about the user's sign-ins while the component is mounted.
 *
 * @throws Error without a {@link VigilProvider}.
 */
export function useSecurityAlerts(listener: (alert: SecurityAlert) => void): void {
  const { client } = useProvided();
  const latest = useLatest(listener);
  useEffect(() => client.on('alert', (alert) => latest.current(alert)), [client, latest]);
}
