import { watchActivity, type Watch } from './activity.js';
import { cookie } from './cookie.js';
import { VigilError } from './error.js';
import { call, endOf } from './http.js';
import { browser } from './platform.js';
import { openLink, type Link } from './socket.js';
import { createStore, safely } from './store.js';
import { claims } from './token.js';
import type { EndReason, Platform, SecurityAlert, Session, Vigil, VigilEvents, VigilOptions, VigilState } from './types.js';
import type { ServerFrame } from './wire.js';

const BACKOFF_BASE = 500; // before the first attempt at most this, in milliseconds; each doubles it
const BACKOFF_CAP = 30_000;
const STABLE = 10_000; // a connection that has lasted this long was good: the next attempt is a first one
const REGISTER_TIMEOUT = 30_000;
const REPLACED_TRIES = 5; // another tab's new sign-in reaches this one within a second or so
const REVOKED_WAIT = 1000; // for the socket to say why, which HTTP does not
const STAY = 15_000; // a wish to stay is made good after a reconnection within this time
const LONGEST_TIMER = 2 ** 31 - 1;

/** The ends that a new sign-in of this browser brings about: the old one is over, the person is not signed out. */
const MAY_MOVE: readonly EndReason[] = ['replaced', 'tokens_revoked'];

/** Problems that trying again does not mend. */
const FATAL = ['token_missing', 'token_invalid', 'session_limit', 'invalid_request'];

/** What a terminal close means when its last frame was lost. */
const CLOSES: Record<number, EndReason> = { 4502: 'revoked', 4503: 'idle_timeout', 4504: 'absolute_timeout', 4505: 'user_disabled' };

const IDLE: VigilState = {
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

/**
 * A client for a page: create one, and {@link Vigil.start} it whenever somebody is signed in.
 * @throws TypeError for a URL that is none
 */
export function createVigil(options: VigilOptions): Vigil {
  const base = new URL(options.url).href.replace(/\/+$/, '');
  const store = createStore(IDLE);
  const listeners = new Map<string, Set<(event: never) => void>>();
  const cleanups: (() => void)[] = [];

  let p: Platform;
  let running = false;
  let turn = 0; // of the attempt that counts: whatever else is under way is told by it that it is late
  let link: Link | undefined;
  let retryTimer: unknown;
  let deadlineTimer: unknown;
  let activity: Watch;
  let channel: InstanceType<NonNullable<Platform['BroadcastChannel']>> | undefined;
  let signIn = ''; // of the latest token
  let registering: Promise<void> | undefined;
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

  const platform = () => (p ??= browser(options.platform));
  const getToken = async (fresh: boolean) => options.getToken(fresh);
  const now = () => platform().now() + store.get().offset;
  const emit = <T extends keyof VigilEvents>(type: T, event: VigilEvents[T]) => {
    for (const listener of [...(listeners.get(type) ?? [])]) safely(listener as (event: VigilEvents[T]) => void, event);
  };
  const mirror = (token: string | null) => {
    if (options.cookie) p.document.cookie = cookie(options.cookie, token, now());
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
    p.clearTimeout(deadlineTimer);
    for (const cleanup of cleanups.splice(0)) cleanup();
    mirror(null);
    store.set({ ...IDLE, offset: store.get().offset, ...patch });
  }

  function end(reason: EndReason, tell = true) {
    if (!running) return;
    const { session } = store.get();
    if (tell && session) channel?.postMessage({ sessionId: session.id, reason });
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
    return (registering ??= (async () => {
      const abort = new AbortController();
      const timer = p.setTimeout(() => abort.abort(), REGISTER_TIMEOUT);
      const { deviceName, device } = options;
      try {
        const answer = await call<{ session: Session; alerts: SecurityAlert[] }>(
          p,
          `${base}/v1/sessions`,
          'POST',
          token,
          { deviceName, device, replaces: store.get().session?.id },
          abort.signal,
        );
        ownAlerts = answer.alerts ?? [];
        for (const alert of ownAlerts) emit('alert', alert);
      } finally {
        p.clearTimeout(timer);
        registering = undefined;
      }
    })());
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

  /** Learns the server's clock from a time that it told between two moments of this one. */
  function synchronise(serverTime: string, sent: number) {
    const received = p.now();
    const offset = Date.parse(serverTime) - (sent + received) / 2;
    const bound = Math.max(1, (received - sent) / 2);
    // Only what the new sample rules out is corrected, so that a countdown does not tremble.
    if (received >= sent && Math.abs(offset - store.get().offset) > bound) store.set({ offset });
  }

  function deadlines(warnAt: number, idleDeadline: number, expiresAt = store.get().expiresAt, more?: Partial<VigilState>) {
    store.set({ warnAt, idleDeadline, expiresAt, warning: now() >= warnAt ? { deadline: idleDeadline } : null, ...more });
    p.clearTimeout(deadlineTimer);
    const left = Math.min(idleDeadline, expiresAt ?? Infinity) - now();
    // Whether it is over is the server's to say: it is asked.
    deadlineTimer = p.setTimeout(wake, Math.min(Math.max(left, 0) + 1000, LONGEST_TIMER));
  }

  const onTimes = (times: { warnAt: string; idleDeadline: string; expiresAt?: string }, more?: Partial<VigilState>) =>
    deadlines(
      Date.parse(times.warnAt),
      Date.parse(times.idleDeadline),
      times.expiresAt === undefined ? undefined : Date.parse(times.expiresAt),
      more,
    );

  function ready(message: Extract<ServerFrame, { type: 'ready' }>, sent: number) {
    registrations = replaced = 0;
    readyAt = p.now();
    synchronise(message.serverTime, sent);
    onTimes(message, { status: 'live', session: message.session, error: null });
    if (readyAt - stayAt < STAY) link!.send({ type: 'activity' });
  }

  function frame(message: ServerFrame) {
    const state = store.get();
    stayAt = 0;
    switch (message.type) {
      case 'pong': {
        if (typeof message.timestamp === 'number') synchronise(message.serverTime, message.timestamp);
        const idleDeadline = Date.parse(message.idleDeadline);
        const moved = idleDeadline - state.idleDeadline!;
        if (moved > 0) deadlines(state.warnAt! + moved, idleDeadline);
        if (message.tokenValid) renewing = false;
        else if (!renewing) {
          renewing = true;
          void beat(true);
        }
        break;
      }
      case 'idle_warning': {
        const deadline = Date.parse(message.idleDeadline);
        activity.rearm();
        deadlines(Math.min(state.warnAt!, now()), deadline);
        break;
      }
      case 'idle_reset':
        onTimes(message);
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
    } else if (!registering) void connect();
  }

  function listen(target: EventTarget, type: string, listener: (event: Event) => void) {
    target.addEventListener(type, listener);
    cleanups.push(() => target.removeEventListener(type, listener));
  }

  function open() {
    activity = watchActivity(p, () => {
      if (!link?.live) return false;
      link.stir();
      link.send({ type: 'activity' });
      return true;
    });
    channel = p.BroadcastChannel ? new p.BroadcastChannel('vigil') : undefined;
    if (channel)
      channel.onmessage = ({ data }) => {
        if (data?.sessionId && data.sessionId === store.get().session?.id) end(data.reason, false);
      };
    cleanups.push(activity.stop, () => channel?.close());
    listen(p.document, 'visibilitychange', () => p.document.visibilityState !== 'hidden' && wake());
    listen(p.document, 'resume', wake);
    listen(p.window, 'pageshow', wake);
    // A page with an open socket is not kept for going back.
    listen(p.window, 'pagehide', drop);
    listen(p.window, 'offline', () => retry(new VigilError(0, 'unavailable', 'offline')));
    listen(p.window, 'online', () => {
      attempts = 0;
      if (link?.live) link.check();
      else retry(store.get().error ?? new VigilError(0, 'unavailable', 'online'));
    });
  }

  async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
    platform();
    let fresh = false;
    let registered = false;
    for (;;) {
      const token = await getToken(fresh);
      if (!token) throw new VigilError(401, 'token_missing', 'Nobody is signed in.');
      if (running && took(token)) void connect();
      try {
        return await call<T>(p, base + path, method, token, body);
      } catch (error) {
        const { code } = error as VigilError;
        if (code === 'token_expired' && !fresh) fresh = true;
        else if (code === 'session_required' && running && !registered) {
          registered = true;
          await register(token);
        } else {
          // An answer about a sign-in that has been left says nothing about this one.
          const reason = running && claims(token).signIn === signIn && endOf(error as VigilError);
          const mine = turn;
          if (reason === 'tokens_revoked' && link?.live) p.setTimeout(() => mine === turn && void over(reason), REVOKED_WAIT);
          else if (reason) void over(reason);
          throw error;
        }
      }
    }
  }

  return {
    getState: store.get,
    subscribe: store.subscribe,
    on(type, listener) {
      const mine = (event: never) => listener(event);
      listeners.set(type, (listeners.get(type) ?? new Set()).add(mine));
      return () => void listeners.get(type)!.delete(mine);
    },
    start() {
      if (running) return void (link?.live ? beat() : wake());
      if (!platform().window) return;
      running = true;
      signIn = '';
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
    now,
    async stayActive() {
      if (link?.live) {
        stayAt = p.now();
        link.send({ type: 'activity' });
        link.check();
      } else onTimes(await request('POST', '/v1/sessions/current/activity'));
    },
    sessions: async (all) => (await request<{ sessions: Session[] }>('GET', `/v1/sessions${all ? '?status=all' : ''}`)).sessions,
    async end(sessionId) {
      await request('DELETE', `/v1/sessions/${encodeURIComponent(sessionId)}`);
      if (sessionId === store.get().session?.id) end('logout');
    },
    endOthers: async () => (await request<{ ended: number }>('DELETE', '/v1/sessions?scope=others')).ended,
    async logout(everywhere) {
      try {
        await request('POST', '/v1/logout', everywhere ? { allSessions: true } : undefined);
      } catch (error) {
        if (!store.get().ended) throw error;
      }
      end('logout');
    },
    request,
  };
}
