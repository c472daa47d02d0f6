'use client';

import { useCallback, useRef } from 'react';
import { VigilError } from '../core/error.js';
import { useLatest } from './latest.js';
import { useProvided } from './provider.js';

/**
 * Runs operations that need a recent sign-in. Where one fails with `reauth_required`, `reauthenticate` is called with the age in
 * seconds that a sign-in may have, and then the operation once more, as soon as the new sign-in is registered and its token
 * mirrored, for the application's own server. Operations that need it at the same time share one.
 *
 * `reauthenticate` signs the user in again (Firebase's `reauthenticateWithCredential`, say) and resolves when that is done. If it
 * rejects, because the user has changed their mind, or if the new sign-in cannot be registered, the operation rejects with the
 * same. An operation that one person has asked for never runs as another: it rejects as it did. A sign-in that is spent (`maxAge` 0) is past this: the session is over.
 *
 * @returns A function that stays the same.
 * @throws Error without a {@link VigilProvider}, whose client has to be started.
 *
 * @example
 * ```tsx
 * const { client: vigil } = useVigil();
 * const withRecentAuth = useRecentAuth(askForPassword);
 * const save = () => withRecentAuth(() => vigil.request('PUT', '/v1/account/email', { email }));
 * ```
 */
export function useRecentAuth(reauthenticate: (maxAge: number) => Promise<void>): <T>(operation: () => Promise<T>) => Promise<T> {
  const { client } = useProvided();
  const latest = useLatest(reauthenticate);
  const pending = useRef<Promise<unknown> | null>(null);
  const done = useRef(0); // how many re-authentications there have been
  return useCallback(
    async (operation) => {
      const before = done.current;
      const user = client.getState().session?.userId;
      try {
        return await operation();
      } catch (error) {
        const maxAge = error instanceof VigilError && error.code === 'reauth_required' ? error.details.maxAge : 0;
        if (!maxAge) throw error;
        // An answer that has been overtaken is about the sign-in before.
        if (done.current === before) {
          // Whatever the client asks for makes it follow the new sign-in, and is answered when that is registered.
          pending.current ??= latest
            .current(maxAge)
            .then(() => client.request('GET', '/v1/sessions/current'))
            .then(() => done.current++)
            .finally(() => (pending.current = null));
          await pending.current;
        }
        if (user && client.getState().session?.userId !== user) throw error; // somebody else sits here by now
        return operation();
      }
    },
    [client, latest],
  );
}
