'use client';

import type { EndReason } from '@vigilhq/client';
import { useSyncExternalStore } from 'react';

/** Why somebody is signed out. `logout_unheard`: by themselves, while the service could not be told. */
export type End = EndReason | 'logout_unheard';

// In localStorage, because the first tab that hears of the end signs out of Firebase, and the others of that before they hear why.
const KEY = 'vigil-dashboard-ended';

const FRESH = 5 * 60_000; // milliseconds before the page was opened in which an end is still news

const listeners = new Set<() => void>();
let unstored: string | null = null; // where the browser stores nothing, this tab still knows

/** Remembers in all tabs why the session ended, until the next sign-in. */
export function rememberEnd(reason: End): void {
  write(`${reason} ${Date.now()}`);
}

export function forgetEnd(): void {
  write(null);
}

function write(value: string | null): void {
  unstored = null;
  try {
    if (value === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch {
    unstored = value;
  }
  for (const listener of listeners) listener();
}

function read(): End | null {
  let value = unstored;
  try {
    value ??= localStorage.getItem(KEY);
  } catch {
    // Then there is nothing but what this tab knows.
  }
  const [reason, at] = value?.split(' ') ?? [];
  // Not the age at this moment: who comes back to a page that has been open all night has not been told yet.
  return reason && Number(at) > performance.timeOrigin - FRESH ? (reason as End) : null;
}

/** Why the last session ended, null when that is not known, long ago, or somebody has signed in since. */
export function useEndReason(): End | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      window.addEventListener('storage', listener);
      return () => {
        listeners.delete(listener);
        window.removeEventListener('storage', listener);
      };
    },
    read,
    () => null,
  );
}
