'use client';

import { useCallback, useRef } from 'react';
import { VigilError } from '../core/error.js';
import { useLatest } from './latest.js';

/**
 * Runs operations that need a recent sign-in. Where one fails with `reauth_required`, `reauthenticate` is called with the age in
 * seconds that a sign-in may have, and then the operation once more. Operations that need it at the same time share one.
 *
 * `reauthenticate` signs the user in again (Firebase's `reauthenticateWithCredential`, say) and resolves when that is done. If it
 * rejects, because the user has changed their mind, the operation rejects with the same. A sign-in that is spent (`maxAge` 0) is
 * past this: the session is over.
 *
 * @returns A function that stays the same.
 *
 * @example
 * ```tsx
 * const withRecentAuth = useRecentAuth(askForPassword);
 * const save = () => withRecentAuth(() => vigil.request('PUT', '/v1/account/email', { email }));
 * ```
 */
export function useRecentAuth(reauthenticate: (maxAge: number) => Promise<void>): <T>(operation: () => Promise<T>) => Promise<T> {
  const latest = useLatest(reauthenticate);
  const pending = useRef<Promise<void> | null>(null);
  return useCallback(
    async (operation) => {
      try {
        return await operation();
      } catch (error) {
        const maxAge = error instanceof VigilError && error.code === 'reauth_required' ? error.details.maxAge : 0;
        if (!maxAge) throw error;
        pending.current ??= latest.current(maxAge).finally(() => (pending.current = null));
        await pending.current;
        return operation();
      }
    },
    [latest],
  );
}
