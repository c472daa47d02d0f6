import { watchActivity, type Watch } from './activity.js';
import { createClock } from './clock.js';
import { cookie } from './cookie.js';
import { VigilError } from './error.js';
import { endOf } from './http.js';
import { CLOSES, FATAL, MAY_MOVE } from './meaning.js';
import { watchPage, type Page } from './page.js';
import { IDLE, type Connection, type Parts } from './parts.js';
import { createRegistration } from './registration.js';
import { openLink, type Link } from './socket.js';
import { safely } from './store.js';
import { claims } from './token.js';
import type { EndReason, Platform, SecurityAlert, VigilState } from './types.js';
import type { ServerFrame, ServerFrameOf } from './wire.js';

const BACKOFF_BASE = 500; // before the first attempt at most this, in milliseconds; each doubles it
const BACKOFF_CAP = 30_000;
const STABLE = 10_000; // a connection that has lasted this long was good: the next attempt is a first one
const RENEW = 60_000; // before its end, or two heartbeats, a token is renewed
const POLL = 1000; // more than Firebase's 800 ms, in which a tab learns of what another one has signed in
const WOKEN = 2000; // for so long after a page has woken it may not have learnt of it
const MOVE_WAIT = 10_000; // for another tab's new sign-in to reach this one, while somebody looks
const REVOKED_WAIT = 1000; // for the socket to say why, which HTTP does not

/** Makes a connection that is not started. */
export function createConnection(parts: Parts): Connection {
  const { options, base, platform, store, emit, getToken } = parts;
  let p: Platform;
  let running = false;
  let turn = 0; // of the attempt that counts: whatever else is under way is told by it that it is late
  let link: Link | undefined;
  let retryTimer: unknown;
  let activity: Watch;
  let page: Page;
  let signIn = ''; // of the latest token
  let latest: string | undefined; // the session that a new sign-in takes the place of: registered, or heard of by the socket
  let registrations = 0; // since the last ready
  let owner = ''; // the sign-in of the session in the state
  let sub = ''; // whose sign-in it is
  let busy = 0; // the turn of the attempt that is under way
  let doubting = 0; // the turn in which the word of an end is looked into
  let doubted: EndReason; // that word
  let again = false; // the application has started once more while an attempt was under way
  let wokeAt = -Infinity;
  let attempts = 0;
  let force = false; // the next connection needs a new token
  let renewing = false; // the server has been told no valid token yet
  let readyAt = Infinity;
  let lostAt = 0; // when the last good connection was lost, 0 if there is none to make up for
  let sentToken = '';
  let wish: number | undefined; // when the person wished to stay, until the server has answered
  let stays: ((answered: boolean) => void)[] = []; // who waits for the answer
  let offered = { token: '', at: 0 }; // the token of the last ping that had one
  let early = 0; // so long before its own end the server takes a token no more, in milliseconds
  let beatEvery = 0;
  let ownAlerts: SecurityAlert[] = [];

  const clock = createClock(platform, store, wake);
  const registration = createRegistration(parts, () => latest, (token, { session, alerts = [] }) => {
    if (!running || claims(token).sub !== sub) return; // its user has gone
    latest = session.id;
    ownAlerts = alerts;
    for (const alert of alerts) emit('alert', alert);
  });
  const mirror = (token: string | null) => {
    if (options.cookie) p.document.cookie = cookie(options.cookie, token, clock.now());
  };

  /** Takes note of a token, and reports whether it is of another sign-in than the one before. */
  function took(token: string): boolean {
    mirror(token);
    const was = signIn;
    const user = sub;
    ({ signIn, sub } = claims(token));
    if (sub !== user) {
      // What is known is of somebody else.
      clock.stop();
      latest = undefined;
      store.set({ ...IDLE, offset: store.get().offset, status: 'connecting' });
    }
    return signIn !== was;
  }

  /** Tells who waits for it whether the wish to stay has been answered. */
  function answer(answered: boolean) {
    if (answered) wish = undefined;
    for (const settle of stays.splice(0)) settle(answered);
  }

  /** Abandons what is under way. */
  function drop() {
    turn++;
    p.clearTimeout(retryTimer);
    if (link?.live) {
      lostAt = p.now();
      if (lostAt - readyAt >= STABLE) attempts = 0;
      activity.rearm(); // what it was told last may not have arrived
    }
    link?.close();
    link = undefined;
    answer(false);
  }

  /** Stops whatever runs. */
  function halt(patch: Partial<VigilState>) {
    if (running) {
      running = false;
      drop();
      registration.abandon();
      clock.stop();
      wish = undefined;
      activity.stop();
      page.stop();
      mirror(null);
    }
    store.set({ ...IDLE, offset: store.get().offset, ...patch });
  }

  function end(reason: EndReason, tell = true) {
    const { session, status } = store.get();
    if (status === 'ended') return;
    if (tell && session && owner === signIn) page.tell(session.id, reason);
    halt({ status: 'ended', ended: reason });
    emit('ended', { reason });
    safely(async () => options.onEnded?.(reason));
  }

  /**
   * The server, or another tab, says that the session is over. An application signs out for it, and with that in all tabs: so it must
   * not be of a sign-in that the browser has left, which this tab may be the last one to know.
   */
  async function over(reason: EndReason, tell = true) {
    if (!running || doubting === turn) return;
    const moves = MAY_MOVE.includes(reason);
    const wait = moves ? MOVE_WAIT : !link?.live || p.now() - wokeAt < WOKEN ? POLL : 0;
    drop();
    const mine = (busy = doubting = turn);
    doubted = reason;
    for (let waited = 0; ; ) {
      const token = await getToken(false).catch(() => undefined);
      if (mine !== turn) return;
      if (token === null) return end(reason, tell); // another tab has signed out for it
      if (token && claims(token).signIn !== signIn) return connect();
      const asleep = moves && p.document.visibilityState === 'hidden';
      if (waited >= wait && !asleep) return end(reason, tell);
      store.set({ status: 'reconnecting', error: new VigilError(0, 'unavailable', reason) });
      await new Promise<void>((resolve) => (retryTimer = p.setTimeout(resolve, POLL)));
      if (!asleep) waited += POLL;
    }
  }

  function retry(error: Error, seconds = 0) {
    drop();
    store.set({ status: 'reconnecting', error });
    // A browser that says it is off line may be wrong.
    const most = p.navigator.onLine === false ? BACKOFF_CAP : Math.min(BACKOFF_CAP, BACKOFF_BASE * 2 ** attempts++);
    retryTimer = p.setTimeout(connect, seconds * 1000 + p.random() * most);
    if (again) void look();
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
    const mine = (busy = turn);
    if (store.get().status !== 'reconnecting') store.set({ status: store.get().session ? 'reconnecting' : 'connecting' });
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

  /** The socket was refused for what HTTP can mend, or explain. */
  async function enter(fresh: boolean) {
    drop();
    const mine = (busy = turn);
    try {
      let token = await getToken(fresh);
      if (token && mine === turn) {
        took(token);
        await registration.begin(token);
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
    if (meaning) return void over(meaning);
    if (code === 4501) return void (reason === 'token_revoked' ? over('tokens_revoked') : enter(reason === 'token_invalid'));
    if (code >= 4500 && code < 5000) return halt({ error });
    if (code === 4001) force = true;
    drop(); // first: after a good connection it begins to count anew
    if (code === 4005) attempts = 6; // coming back at once would only push out another tab
    retry(error);
  }

  function ready(message: ServerFrameOf<'ready'>, sent: number) {
    registrations = 0;
    owner = signIn;
    readyAt = p.now();
    clock.synchronise(message.serverTime, sent);
    latest = message.session.id;
    clock.take(message, { status: 'live', session: message.session, error: null });
    mirror(sentToken); // by the server's clock, which is known now
    if (again) {
      again = false;
      void beat();
    }
    beatEvery = message.heartbeatInterval;
    early = Math.max(0, claims(sentToken).exp * 1000 - Date.parse(message.tokenExpiresAt));
    if (wish !== undefined && clock.now() < Date.parse(message.idleDeadline)) void stay();
  }

  function frame(message: ServerFrame) {
    switch (message.type) {
      case 'pong':
        if (typeof message.timestamp === 'number') {
          clock.synchronise(message.serverTime, message.timestamp);
          if (message.tokenValid && !renewing && message.timestamp >= wish!) answer(true);
          if (message.timestamp === offered.at && !message.error) sentToken = offered.token;
        }
        clock.idle(message.idleDeadline);
        if (message.tokenValid) {
          if (renewing) activity.rearm(); // what was told meanwhile did not count
          if (renewing && wish !== undefined) void stay();
          renewing = false;
        } else if (!renewing) {
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
        answer(true);
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
    const ask = (force: boolean) => getToken(force).catch(() => undefined);
    let token = await ask(fresh);
    const left = token && claims(token).exp * 1000 - early - clock.now();
    if (at !== link || !at?.live) return;
    // The application renews its token only when it needs one itself. One that the server does not have yet has just been renewed.
    if (!fresh && token === sentToken && left && left < Math.max(2 * beatEvery, RENEW)) token = (await ask(true)) ?? token;
    if (at !== link || !at.live) return;
    if (token === null) return halt({});
    if (token && took(token)) return connect();
    const news = token && token !== sentToken && { token };
    if (news) offered = { ...news, at: p.now() };
    at.ping({ ...news, ...(lostAt && { reconnectedAfterMs: readyAt - lostAt }) });
    lostAt = 0;
  }

  async function stay() {
    if (running) wish = p.now();
    if (!link?.live) return false;
    const answered = new Promise<boolean>((resolve) => stays.push(resolve));
    link.send({ type: 'activity' });
    link.check();
    return answered;
  }

  /** Something suggests that what was known may be old: sleep, a network, a deadline. */
  function wake() {
    if (link?.live) link.check();
    else if (busy !== turn) void connect();
  }

  /** Somebody may have signed in anew: if not, everything goes on as it was. */
  async function look() {
    again = false;
    const mine = turn;
    const token = await getToken(false).catch(() => null);
    if (mine !== turn || !token || !took(token)) return;
    attempts = 0;
    void connect();
  }

  function open() {
    activity = watchActivity(p, () => {
      if (!link?.live) return false;
      link.stir();
      link.send({ type: 'activity' });
      return true;
    });
    page = watchPage(p, {
      wake() {
        wokeAt = p.now();
        wake();
      },
      hide() {
        drop(); // a page with an open socket is not kept for going back
        lostAt = 0;
      },
      offline: () => link?.live && link.check(),
      online() {
        attempts = 0;
        if (link?.live) link.check();
        else if (doubting !== turn) retry(store.get().error ?? new VigilError(0, 'unavailable', 'online'));
      },
      ended(sessionId, reason) {
        // While a new sign-in is being followed the session in the state is one that has been left.
        if (owner === signIn && sessionId === store.get().session?.id) void over(reason, false);
      },
    });
  }

  return {
    clock,
    running: () => running,
    start() {
      // An application may call it for every token that it hears of, also for those that are asked for here.
      if (running) return void (link?.live ? beat() : busy === turn ? (again = true) : look());
      p = platform();
      if (!p.window) return;
      running = true;
      signIn = sub = '';
      attempts = registrations = lostAt = 0;
      force = again = false;
      store.set({ ...IDLE, offset: store.get().offset });
      open();
      void connect();
    },
    stop() {
      p = platform();
      if (!running) {
        if (p.window) mirror(null); // of a page before this one
      } else if (doubting === turn) end(doubted); // another tab was faster, and has signed out for it
      else halt({});
    },
    stay,
    follow(token) {
      if (running && took(token)) void connect();
    },
    stayed: () => answer(true),
    register: registration.begin,
    learn(error, token) {
      // An answer about a sign-in that has been left says nothing about this one.
      const reason = claims(token).signIn === signIn && endOf(error);
      const mine = turn;
      if (reason === 'tokens_revoked' && link?.live) p.setTimeout(() => mine === turn && void over(reason), REVOKED_WAIT);
      else if (reason) void over(reason);
    },
    end,
  };
}
