import type { Clock } from './clock.js';
import type { VigilError } from './error.js';
import type { Store } from './store.js';
import type { EndReason, Platform, VigilEvents, VigilOptions, VigilState } from './types.js';

/** The state of a client that is not started. */
export const IDLE: VigilState = {
  status: 'idle',
  session: null,
  warnAt: null,
  idleDeadline: null,
  expiresAt: null,
  warning: null,
  ended: null,
  offset: 0,
  error: null,
};

/** What a {@link Connection} is made of. */
export interface Parts {
  options: VigilOptions;
  /** The service's address without a slash at its end. */
  base: string;
  platform(): Platform;
  store: Store<VigilState>;
  /** The application's token. Fails if that does not come. */
  getToken(fresh: boolean): Promise<string | null>;
  emit<T extends keyof VigilEvents>(type: T, event: VigilEvents[T]): void;
}

/**
 * The session of whoever is signed in, and the socket that is held for it.
 *
 * ```text
 *   idle ──start──▶ connecting ──ready──▶ live ◀──ready── reconnecting
 *     ▲                 │                  │                  ▲
 *     └── nobody is signed in, stop,       ├── lost, 4000–4499 ┘
 *         or what trying again             └── the server says that it is over ──▶ ended
 *         does not mend
 * ```
 */
export interface Connection {
  readonly clock: Clock;
  running(): boolean;
  start(): void;
  stop(): void;
  /** Activity at once, by the socket: false if there is none, or if it goes before the answer. Then the next one makes up for it. */
  stay(): Promise<boolean>;
  /** The wish to stay has been answered, on another way. */
  stayed(): void;
  /** A token is about to be used: if it is of a new sign-in, the connection follows. */
  follow(token: string): void;
  /** Begins the session of a sign-in, once for all who ask for it at the same time. */
  register(token: string): Promise<void>;
  /** A request with this token has failed: perhaps it says that the session is over. */
  learn(error: VigilError, token: string): void;
  /** The session is over, also that of a client that has given up, or has not begun. */
  end(reason: EndReason): void;
}
