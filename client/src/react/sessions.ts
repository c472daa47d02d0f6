'use client';

import { useMemo, useSyncExternalStore } from 'react';
import type { Session } from '../core/types.js';
import { useProvided } from './provider.js';
import { loading } from './session-list.js';

/** What {@link useSessions} knows, and can do. */
export interface Sessions {
  /** The user's live sessions, the one of the latest activity first. */
  sessions: readonly Session[];
  /** Whether there is nothing to show yet: neither a list nor an error. */
  loading: boolean;
  /** Why the latest question was not answered. The sessions are those of the answer before. */
  error: Error | null;
  /** Ends one of them, which may be this one: the client's `end`. Rejects with a `VigilError`, and the list stays. */
  end: (sessionId: string) => Promise<void>;
  /** Ends all but this one, and counts them. Rejects with a `VigilError`, and the list stays. */
  endOthers: () => Promise<number>;
  /** Asks again, unless the session is over. Resolves when that is answered, and never rejects. */
  refresh: () => Promise<void>;
}

/**
 * The user's sessions, for a page of devices. The list is asked for once, however many components show it, and again when a
 * session of the user begins or ends, and when the socket is back.
 *
 * @throws Error without a {@link VigilProvider}.
 */
export function useSessions(): Sessions {
  const { client, list } = useProvided();
  const state = useSyncExternalStore(list.subscribe, list.getState, () => loading);
  return useMemo(
    () => ({
      ...state,
      async end(sessionId) {
        await client.end(sessionId);
        list.drop(({ id }) => id === sessionId);
      },
      async endOthers() {
        const ended = await client.endOthers();
        list.drop(({ current }) => !current);
        return ended;
      },
      refresh: list.refresh,
    }),
    [client, list, state],
  );
}
