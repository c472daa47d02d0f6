'use client';

import { useCallback, useSyncExternalStore } from 'react';
import type { VigilState } from '../core/types.js';
import { useProvided, useSelected } from './provider.js';

/** What {@link useIdleWarning} knows. */
export interface IdleWarning {
  /** Whether the user is about to be signed out for idleness. */
  open: boolean;
  /** How long that is off, in milliseconds: whole seconds, rounded up. 0 while it is not open. */
  remaining: number;
  /** The user wants to stay. Closes the warning in all tabs. */
  stayActive: () => Promise<void>;
}

const second = 1000;

const deadlineOf = (state: VigilState) => state.warning?.deadline ?? null;

/**
 * The warning before an idle session ends, for a dialog with a countdown. The component renders again each second while it is
 * open. What remains is counted anew each time, by the server's clock: neither a device that has slept nor one whose clock is
 * wrong shows another figure.
 *
 * @throws Error without a {@link VigilProvider}.
 */
export function useIdleWarning(): IdleWarning {
  const { client } = useProvided();
  const deadline = useSelected(deadlineOf);

  const count = () => (deadline === null ? 0 : Math.max(0, Math.ceil((deadline - client.now()) / second) * second));

  const tick = useCallback(
    (changed: () => void) => {
      if (deadline === null) return () => {};
      let timer: ReturnType<typeof setTimeout> | undefined;
      const next = () => {
        clearTimeout(timer);
        const left = deadline - client.now();
        // To the next whole second before the deadline, so that no figure is left out or shown twice as long.
        if (left > 0) timer = setTimeout(again, left % second || second);
      };
      const again = () => (changed(), next());
      const off = client.subscribe(again); // the server's clock may turn out to be another
      next();
      return () => (off(), clearTimeout(timer));
    },
    [client, deadline],
  );

  const remaining = useSyncExternalStore(tick, count, () => 0);
  return { open: deadline !== null, remaining, stayActive: client.stayActive };
}
