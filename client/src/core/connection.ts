import { watchActivity, type Watch } from './activity.js';
import { createClock, type Clock } from './clock.js';
import { cookie } from './cookie.js';
import { VigilError } from './error.js';
import { call, endOf } from './http.js';
import { watchPage, type Page } from './page.js';
import { openLink, type Link } from './socket.js';
import { safely, type Store } from './store.js';
import { claims } from './token.js';
import type { EndReason, Platform, SecurityAlert, Session, VigilEvents, VigilOptions, VigilState } from './types.js';
import type { ServerFrame, ServerFrameOf } from './wire.js';

const BACKOFF_BASE = 500; // before the first attempt at most this, in milliseconds; each doubles it
const BACKOFF_CAP = 30_000;
const STABLE = 10_000; // a connection that has lasted this long was good: the next attempt is a first one
const REGISTER_TIMEOUT = 30_000;
const REPLACED_TRIES = 5; // another tab's new sign-in reaches this one within a second or so
const REVOKED_WAIT = 1000; // for the socket to say why, which HTTP does not
const STAY = 30_000; // a wish to stay is made good after a reconnection within this time

/** The ends that a new sign-in of this browser brings about: the old one is over, the person is not signed out. */
const MAY_MOVE: readonly EndReason[] = ['replaced', 'tokens_revoked'];

/** Problems that trying again does not mend. */
const FATAL = ['token_missing', 'token_invalid', 'session_limit', 'invalid_request'];

/** What a terminal close means when its last frame was lost. */
const CLOSES: Record<number, EndReason> = { 4502: 'revoked', 4503: 'idle_timeout', 4504: 'absolute_timeout', 4505: 'user_disabled' };

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
  /** Activity at once, if there is a socket to tell it by. */
  stay(): boolean;
  /** A token is about to be used: if it is of a new sign-in, the connection follows. */
  follow(token: string): void;
  /** Begins the session of a sign-in, once for all who ask for it at the same time. */
  register(token: string): Promise<void>;
  /** A request with this token has failed: perhaps it says that the session is over. */
  learn(error: VigilError, token: string): void;
  end(reason: EndReason): void;
}

/** Makes a connection that is not started. */
export function createConnection({ options, base, platform, store, emit }: Parts): Connection {
  let p: Platform;
  let running = false;
  let turn = 0; // of the attempt that counts: whatever else is under way is told by it that it is late
  let link: Link | undefined;
  let retryTimer: unknown;
  let activity: Watch;
  let page: Page;
  let signIn = ''; // of the latest token
  let registering: { signIn: string; done: Promise<void> } | undefined;
  let latest: string | undefined; // the session that a new sign-in takes the place of: registered, or heard of by the socket
  let registrations = 0; // since the last ready
  let replaced = 0; // since the last ready
  let attempts = 0;
  let force = false; // the next connection needs a new token
  let renewing = false; // the server has been told no valid token yet
  let readyAt = Infinity;
  let lostAt = 0; // when the last good connection was lost, 0 if there is none to make up for
  let sentToken = '';
  let stayAt = 0; // when the person wished to stay, until the server has answered
  let ownAlerts: SecurityAlert[] = [];

  const clock = createClock(platform, store, wake);
  const getToken = async (fresh: boolean) => options.getToken(fresh);
  const mirror = (token: string | null) => {
    if (options.cookie) p.document.cookie = cookie(options.cookie, token, clock.now());
  };

  /** Takes note of a token, and reports whether it is of another sign-in than the one before. */
  function took(token: string): boolean {
    mirror(token);
    const was = signIn;
    signIn = claims(token).signIn;
    return signIn !== was;
  }

  /** Abandons what is under way. */
  function drop() {
    turn++;
    p.clearTimeout(retryTimer);
    retryTimer = undefined;
    if (link?.live) {
      lostAt = p.now();
      if (lostAt - readyAt >= STABLE) attempts = 0;
    }
    link?.close();
    link = undefined;
  }

  function halt(patch: Partial<VigilState>) {
    running = false;
    drop();
    clock.stop();
    activity.stop();
    page.stop();
    mirror(null);
    store.set({ ...IDLE, offset: store.get().offset, ...patch });
  }

  function end(reason: EndReason, tell = true) {
    if (!running) return;
    const { session } = store.get();
    if (tell && session) page.tell(session.id, reason);
    halt({ status: 'ended', ended: reason });
    emit('ended', { reason });
    safely(async () => options.onEnded?.(reason));
  }

  /** The server says that the session is over. */
  async function over(reason: EndReason) {
    if (MAY_MOVE.includes(reason)) {
      drop();
      const mine = turn;
      const token = await getToken(false).catch(() => null);
      if (mine !== turn) return;
      if (token && claims(token).signIn !== signIn) return connect();
      if (reason === 'replaced' && ++replaced < REPLACED_TRIES) return retry(new VigilError(0, 'unavailable', reason));
    }
    end(reason);
  }

  function retry(error: Error, seconds = 0) {
    drop();
    store.set({ status: 'reconnecting', error });
    if (p.navigator.onLine === false) return; // the online event goes on
    const jitter = p.random() * Math.min(BACKOFF_CAP, BACKOFF_BASE * 2 ** attempts++);
    retryTimer = p.setTimeout(connect, seconds * 1000 + jitter);
  }

  /** What an error means for whoever tries to connect. */
  function failed(error: unknown) {
    const known = error instanceof VigilError;
    // Of a registration, reauth_required says that the sign-in is spent or, without a reason, too old.
    const reason =
      known && (error.code === 'reauth_required' ? (error.details.reason ?? 'absolute_timeout') : endOf(error));
    if (reason) void over(reason);
    else if (known && FATAL.includes(error.code)) halt({ error });
    else retry(error as Error, known ? error.details.retryAfter : 0);
  }

  async function connect() {
    drop();
    const mine = turn;
    if (store.get().status !== 'reconnecting') store.set({ status: store.get().session ? 'reconnecting' : 'connecting' });
    if (p.navigator.onLine === false) return retry(new VigilError(0, 'unavailable', 'offline'));
    try {
      const token = await getToken(force);
      if (mine !== turn) return;
      if (!token) return halt({});
      took(token);
      sentToken = token;
      force = renewing = false;
      link = openLink(p, `${base.replace(/^http/, 'ws')}/v1/ws`, token, { ready, frame, beat: () => void beat(), close: closed });
    } catch (error) {
      if (mine === turn) failed(error);
    }
  }

  /** Begins the session of a sign-in, once for all who ask for it at the same time. */
  function register(token: string): Promise<void> {
    const mine = claims(token).signIn;
    if (registering?.signIn === mine) return registering.done;
    // One after the other: the later sign-in takes the place of the earlier one's session.
    const before = registering?.done.catch(() => {});
    registering = { signIn: mine, done: before ? before.then(post) : post() };
    return registering.done;

    async function post() {
      const abort = new AbortController();
      const timer = p.setTimeout(() => abort.abort(), REGISTER_TIMEOUT);
      const { deviceName, device } = options;
      const body = { deviceName, device, replaces: latest };
      try {
        const answer = await call<{ session: Session; alerts: SecurityAlert[] }>(p, `${base}/v1/sessions`, 'POST', token, body, abort.signal);
        latest = answer.session.id;
        ownAlerts = answer.alerts ?? [];
        for (const alert of ownAlerts) emit('alert', alert);
      } finally {
        p.clearTimeout(timer);
        if (registering?.signIn === mine) registering = undefined;
      }
    }
  }

  /** The socket was refused for what HTTP can mend, or explain. */
  async function enter(fresh: boolean) {
    drop();
    const mine = turn;
    try {
      let token = await getToken(fresh);
      if (token && mine === turn) {
        took(token);
        await register(token);
      }
      if (mine !== turn) return;
      if (!token || !registrations++) await connect();
      else retry(new VigilError(0, 'unavailable', 'session_required'));
    } catch (error) {
      if (mine !== turn) return;
      if ((error as VigilError).code === 'token_expired') force = true;
      failed(error);
    }
  }

  function closed(code: number, reason?: string) {
    const error = new VigilError(0, reason ?? 'unavailable', `closed: ${code}`);
    const meaning = CLOSES[code];
    if (meaning) return end(meaning);
    if (code === 4501) return void (reason === 'token_revoked' ? over('tokens_revoked') : enter(reason === 'token_invalid'));
    if (code >= 4500 && code < 5000) return halt({ error });
    if (code === 4001) force = true;
    if (code === 4005) attempts = 6; // coming back at once would only push out another tab
    retry(error);
  }

  function ready(message: ServerFrameOf<'ready'>, sent: number) {
    registrations = replaced = 0;
    readyAt = p.now();
    clock.synchronise(message.serverTime, sent);
    latest = message.session.id;
    clock.take(message, { status: 'live', session: message.session, error: null });
    if (readyAt - stayAt < STAY) link!.send({ type: 'activity' });
  }

  function frame(message: ServerFrame) {
    stayAt = 0;
    switch (message.type) {
      case 'pong':
        if (typeof message.timestamp === 'number') clock.synchronise(message.serverTime, message.timestamp);
        clock.idle(message.idleDeadline);
        if (message.tokenValid) renewing = false;
        else if (!renewing) {
          renewing = true;
          void beat(true);
        }
        break;
      case 'idle_warning':
        activity.rearm();
        clock.warn(message.idleDeadline);
        break;
      case 'idle_reset':
        clock.take(message);
        break;
      case 'session_revoked':
        void over(message.reason);
        break;
      case 'session_started':
        emit('started', { session: message.session });
        break;
      case 'session_closed':
        emit('closed', { sessionId: message.sessionId, reason: message.reason });
        break;
      case 'security_alert':
        // The answer to the registration has told it already.
        if (!ownAlerts.some(({ type, sessionId }) => type === message.alert.type && sessionId === message.alert.sessionId))
          emit('alert', message.alert);
        break;
      case 'claims_changed':
        void beat(true);
        emit('claims', {});
    }
  }

  /** A heartbeat, with the token if the server does not have it yet. */
  async function beat(fresh = false) {
    const at = link;
    // Without a token that can be had now, the ping still keeps the connection.
    const token = await getToken(fresh).catch(() => undefined);
    if (at !== link || !at?.live) return;
    if (token === null) return halt({});
    if (token && took(token)) return connect();
    at.ping({
      ...(token && token !== sentToken && { token: (sentToken = token) }),
      ...(lostAt && { reconnectedAfterMs: readyAt - lostAt }),
    });
    lostAt = 0;
  }

  /** Something suggests that what was known may be old: sleep, a network, a deadline. */
  function wake() {
    if (link) {
      if (link.live) link.check();
    } else void connect();
  }

  function open() {
    activity = watchActivity(p, () => {
      if (!link?.live) return false;
      link.stir();
      link.send({ type: 'activity' });
      return true;
    });
    page = watchPage(p, {
      wake,
      hide() {
        drop(); // a page with an open socket is not kept for going back
        lostAt = 0;
      },
      offline: () => retry(new VigilError(0, 'unavailable', 'offline')),
      online() {
        attempts = 0;
        if (link?.live) link.check();
        else retry(store.get().error ?? new VigilError(0, 'unavailable', 'online'));
      },
      ended(sessionId, reason) {
        if (sessionId === store.get().session?.id) end(reason, false);
      },
    });
  }

  return {
    clock,
    running: () => running,
    start() {
      if (running) return void (link?.live ? beat() : wake());
      p = platform();
      if (!p.window) return;
      running = true;
      signIn = '';
      latest = undefined;
      attempts = registrations = replaced = lostAt = stayAt = 0;
      force = false;
      ownAlerts = [];
      store.set({ ...IDLE, offset: store.get().offset });
      open();
      void connect();
    },
    stop() {
      if (running) halt({});
    },
    stay() {
      if (!link?.live) return false;
      stayAt = p.now();
      link.send({ type: 'activity' });
      link.check();
      return true;
    },
    follow(token) {
      if (running && took(token)) void connect();
    },
    register,
    learn(error, token) {
      // An answer about a sign-in that has been left says nothing about this one.
      const reason = running && claims(token).signIn === signIn && endOf(error);
      const mine = turn;
      if (reason === 'tokens_revoked' && link?.live) p.setTimeout(() => mine === turn && void over(reason), REVOKED_WAIT);
      else if (reason) void over(reason);
    },
    end,
  };
}
