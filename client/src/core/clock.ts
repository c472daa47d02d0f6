import type { Store } from './store.js';
import type { Platform, VigilState } from './types.js';

const LONGEST_TIMER = 2 ** 31 - 1;
const AFTER = 1000; // of a deadline, for the server to act on it first
const ASKED = 6000; // until a server that has been asked has answered, or the connection counts as lost

/** Deadlines as the service tells them, RFC 3339. */
export interface Times {
  warnAt: string;
  idleDeadline: string;
  expiresAt?: string;
}

/** The server's clock, and what is due by it. */
export interface Clock {
  /** The server's time, in milliseconds since the epoch. */
  now(): number;
  /** Learns from a time that the server told between two moments of this clock, `sent` and now. */
  synchronise(serverTime: string, sent: number): void;
  /** Takes over deadlines, and whatever else changes with them. */
  take(times: Times, more?: Partial<VigilState>): void;
  /** Takes over an idle deadline; the warning keeps its distance. One that is earlier is old news. */
  idle(idleDeadline: string): void;
  /** The warning has been given. */
  warn(idleDeadline: string): void;
  stop(): void;
}

/**
 * Keeps the deadlines of a state.
 * @param due is called after a deadline: whether it is over is the server's to say, it has to be asked
 */
export function createClock(platform: () => Platform, store: Store<VigilState>, due: () => void): Clock {
  let timer: unknown;
  let warnTimer: unknown;

  const now = () => platform().now() + store.get().offset;
  const set = (warnAt: number, idleDeadline: number, more?: Partial<VigilState>) => {
    store.set({ warnAt, idleDeadline, warning: now() >= warnAt ? { deadline: idleDeadline } : null, ...more });
    clock.stop();
    const left = Math.min(idleDeadline, store.get().expiresAt ?? Infinity) - now();
    timer = platform().setTimeout(due, Math.min(Math.max(left, 0) + AFTER, LONGEST_TIMER));
    if (now() < warnAt) warnTimer = platform().setTimeout(unwarned, Math.min(warnAt - now() + AFTER, LONGEST_TIMER));
  };

  /** The server warns while it can be reached: there may have been activity elsewhere. Otherwise what is known has to do. */
  const unwarned = () => {
    const { status, warnAt, idleDeadline } = store.get();
    if (status === 'live') {
      due();
      warnTimer = platform().setTimeout(unwarned, ASKED);
    } else set(warnAt!, idleDeadline!);
  };

  const clock: Clock = {
    now,
    synchronise(serverTime, sent) {
      const received = platform().now();
      const offset = Date.parse(serverTime) - (sent + received) / 2;
      const bound = Math.max(1, (received - sent) / 2);
      // Only what the new sample rules out is corrected, so that a countdown does not tremble.
      if (received >= sent && Math.abs(offset - store.get().offset) > bound) store.set({ offset });
    },
    take({ warnAt, idleDeadline, expiresAt }, more) {
      set(Date.parse(warnAt), Date.parse(idleDeadline), { ...(expiresAt && { expiresAt: Date.parse(expiresAt) }), ...more });
    },
    idle(idleDeadline) {
      const { warnAt, idleDeadline: before } = store.get();
      const moved = Date.parse(idleDeadline) - before!;
      if (moved > 0) set(warnAt! + moved, before! + moved);
    },
    warn: (idleDeadline) => set(Math.min(store.get().warnAt!, now()), Date.parse(idleDeadline)),
    stop() {
      platform().clearTimeout(timer);
      platform().clearTimeout(warnTimer);
    },
  };
  return clock;
}
