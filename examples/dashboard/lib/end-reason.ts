'use client';

import type { EndReason } from '@vigilhq/client';
import { useSyncExternalStore } from 'react';

// In localStorage, because the first tab that hears of the end signs out of Firebase, and the others of that before they hear why.
const KEY = 'vigil-dashboard-ended';

const listeners = new Set<() => void>();

/** Remembers in all tabs why the session ended, until the next sign-in. */
export function rememberEnd(reason: EndReason): void {
  localStorage.setItem(KEY, reason);
  for (const listener of listeners) listener();
}

export function forgetEnd(): void {
  localStorage.removeItem(KEY);
  for (const listener of listeners) listener();
}

/** Why the last session ended, null when that is not known or somebody has signed in since. */
export function useEndReason(): EndReason | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      window.addEventListener('storage', listener);
      return () => {
        listeners.delete(listener);
        window.removeEventListener('storage', listener);
      };
    },
    () => localStorage.getItem(KEY) as EndReason | null,
    () => null,
  );
}
