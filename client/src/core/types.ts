/**
 * Why a session ended: the same word in HTTP, on the socket, in events and here.
 * See {@link https://github.com/vigilhq/vigil#the-api | the API}.
 */
export type EndReason =
  | 'logout'
  | 'revoked'
  | 'admin_revoked'
  | 'tokens_revoked'
  | 'idle_timeout'
  | 'absolute_timeout'
  | 'session_limit'
  | 'ip_changed'
  | 'user_disabled'
  | 'user_deleted'
  | 'credentials_changed'
  | 'replaced';

/** A session as the service shows it. Times are RFC 3339 in UTC. */
export interface Session {
  /** Follows from the sign-in: knowing it opens nothing. */
  id: string;
  /** The Firebase uid. */
  userId: string;
  /** Whether it is the session that the request came with. */
  current: boolean;
  status: 'active' | 'ended';
  /** As the service reads it from the request, and what the application has said of it. */
  device: {
    type: 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other';
    /** With its version, such as `Chrome 142`. */
    browser: string;
    /** Such as `Windows 11`. */
    os: string;
    /** What {@link VigilOptions.deviceName} calls it. */
    name: string | null;
  };
  /** That of the registration. */
  userAgent: string;
  /** That of the registration. */
  ipAddress: string;
  /** ISO 3166-1, the second part of ISO 3166-2, a name; the latter two empty where unknown. */
  location: { country: string; region: string; city: string } | null;
  /** Firebase's, such as `password` or `google.com`. */
  signInProvider: string;
  /** When it was registered. */
  createdAt: string;
  /** When the user signed in. */
  authTime: string;
  /** When the user last did something. */
  lastActive: string;
  /** When the user is warned, unless something is done before. */
  warnAt: string;
  /** When it ends, unless something is done before. */
  idleDeadline: string;
  /** When it ends, whatever is done. */
  expiresAt: string;
  /** Null while it is live, as are the reason and by whom. */
  endedAt: string | null;
  endReason: EndReason | null;
  /** The user's id, `system` (time or a rule) or `admin`; admins also see `cli`. */
  endedBy: string | null;
}

/** Something unusual about a sign-in or a session of this user. */
export interface SecurityAlert {
  type: 'too_many_sessions' | 'device_mix' | 'new_device' | 'new_country' | 'impossible_travel' | 'ip_changed' | (string & {});
  [detail: string]: unknown;
}

/** What the client knows. Times are milliseconds since the epoch, by the server's clock. */
export interface VigilState {
  /**
   * `idle`: not started, nobody is signed in, or `error` has stopped it. `reconnecting`: nobody is signed out, the service cannot be
   * reached or has asked to come back.
   */
  readonly status: 'idle' | 'connecting' | 'live' | 'reconnecting' | 'ended';
  /** The session, as of the latest connection: later deadlines are below. Null until one is live, and after the end. */
  readonly session: Session | null;
  /** When the user is warned, unless something is done before. */
  readonly warnAt: number | null;
  /** When the session ends, unless something is done before. */
  readonly idleDeadline: number | null;
  /** When the session ends, whatever is done. */
  readonly expiresAt: number | null;
  /** Set while the user is about to be signed out for idleness: `deadline` is the idle deadline. */
  readonly warning: { readonly deadline: number } | null;
  /** Why it ended, while the status is `ended`. */
  readonly ended: EndReason | null;
  /** The server's clock minus this one, in milliseconds. */
  readonly offset: number;
  /**
   * The last failure: while `reconnecting` it is being retried; while `idle` it is what {@link Vigil.start} could not get over, such as
   * a {@link VigilError} `session_limit` or `token_invalid`.
   */
  readonly error: Error | null;
}

/** What {@link Vigil.on} tells of. */
export interface VigilEvents {
  /** This session is over. The last event until {@link Vigil.start}. */
  ended: { reason: EndReason };
  /** Something unusual about a sign-in of this user. */
  alert: SecurityAlert;
  /** Another session of this user has begun. */
  started: { session: Session };
  /** Another session of this user has ended. */
  closed: { sessionId: string; reason: EndReason };
  /** The account's custom claims have changed; a fresh token has been asked for. */
  claims: Record<string, never>;
}

/** How {@link createVigil} is set up. */
export interface VigilOptions {
  /** The service's address, such as `https://vigil.example.com`. */
  url: string;
  /**
   * The ID token of whoever is signed in, null if nobody is: `(force) => auth.currentUser?.getIdToken(force) ?? null`.
   * The application's, so that this package does not depend on Firebase.
   */
  getToken: (force: boolean) => Promise<string | null> | string | null;
  /** Called once when the session is over, in every tab: the place to sign out of Firebase. */
  onEnded?: (reason: EndReason) => void | Promise<void>;
  /**
   * Mirrors the ID token in a cookie for the application's own server: `Secure; SameSite=Lax`, for as long as the token lasts, cleared
   * at any end. Default: none; of `name`: `vigil_token`, of `path`: `/`.
   */
  cookie?: { name?: string; path?: string; domain?: string };
  /** What this device is called in the user's list. */
  deviceName?: string;
  /** What the page knows better than its user agent says, such as an iPad that calls itself a Mac. For display only. */
  device?: { type?: string; os?: string };
  /** What the client runs on; for tests and unusual platforms. Default: the browser's. */
  platform?: Partial<Platform>;
}

/** What the client takes from the browser. */
export interface Platform {
  /** For requests to the service. */
  fetch: typeof globalThis.fetch;
  WebSocket: new (url: string) => Pick<WebSocket, 'send' | 'close' | 'onopen' | 'onmessage' | 'onclose'>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once, in so many milliseconds. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** Takes back what `setTimeout` has returned. */
  clearTimeout(handle: unknown): void;
  /** From 0 to 1, for jitter. */
  random(): number;
  /** `window`: what tells of activity, of going off line, and of the page's life. */
  window: EventTarget;
  /** `document`: visibility and cookies. */
  document: EventTarget & { visibilityState: string; cookie: string };
  /** `navigator`: off line, attempts to connect are rarer. */
  navigator: { onLine: boolean };
  /** Tells other tabs of an end; null where there is none. */
  BroadcastChannel: (new (name: string) => Pick<BroadcastChannel, 'postMessage' | 'onmessage' | 'close'>) | null;
}

/** One client for a page. Its methods may be taken off it. */
export interface Vigil {
  /** The same object until something changes. */
  getState(): VigilState;
  /** Calls the listener after every change of the state, in a moment rather than within the call that changes it, until the function that it returns is called. */
  subscribe(listener: () => void): () => void;
  /** Calls the listener for each event of the type, until the function that it returns is called. */
  on<T extends keyof VigilEvents>(type: T, listener: (event: VigilEvents[T]) => void): () => void;
  /**
   * Somebody has signed in: begins their session, or finds it, and holds a socket. Safe to call again, for every token that
   * the application hears of; after a re-authentication it moves to the new sign-in at once. Does nothing on a server.
   */
  start(): void;
  /**
   * They have signed out, or the page needs it no more: closes the socket and forgets. Ends no session; an end that was told stays, and
   * one that is being looked into is told. Clears the mirrored cookie.
   */
  stop(): void;
  /** The server's time, in milliseconds since the epoch. */
  now(): number;
  /**
   * The person wants to stay: activity, at once. Resolves when the server has answered, and the warning goes.
   * @throws {@link VigilError} when neither the socket nor HTTP reaches the service; the next connection makes up for it.
   */
  stayActive(): Promise<void>;
  /** The user's sessions, the one of the latest activity first; with `all` also the ended ones that are kept. */
  sessions(all?: boolean): Promise<Session[]>;
  /** Ends one session of the user. */
  end(sessionId: string): Promise<void>;
  /** Ends all but this one, and counts them. */
  endOthers(): Promise<number>;
  /**
   * Ends this session, or all of the user's, and then calls {@link VigilOptions.onEnded}. Fine if it is over already, if there is
   * none, and if nobody is signed in any more.
   * @throws {@link VigilError} when the service cannot be reached: nothing has ended. Sign out of Firebase for those who want to
   * leave all the same; then the session ends when it is idle.
   */
  logout(everywhere?: boolean): Promise<void>;
  /**
   * A request to the service with a fresh token, such as `request('GET', '/v1/events')`.
   * @throws {@link VigilError} for any answer but success, and when the service, or `getToken`, does not answer in time (status 0).
   * @throws What `getToken` throws, as it is.
   * @throws TypeError for a path that does not begin with one slash.
   */
  request<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
}
