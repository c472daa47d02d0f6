import type { Times } from './clock.js';
import { createConnection } from './connection.js';
import { VigilError } from './error.js';
import { call, endOf } from './http.js';
import { IDLE } from './parts.js';
import { browser, within } from './platform.js';
import { createStore, safely } from './store.js';
import { claims } from './token.js';
import type { EndReason, Platform, Session, Vigil, VigilEvents, VigilOptions } from './types.js';

const TOKEN_WAIT = 20_000; // for the application to give a token, in milliseconds

/**
 * A client for a page: create one, and {@link Vigil.start} it whenever somebody is signed in.
 *
 * ```ts
 * const vigil = createVigil({
 *   url: 'https://vigil.example.com',
 *   getToken: (force) => auth.currentUser?.getIdToken(force) ?? null,
 *   onEnded: () => signOut(auth),
 * });
 * onAuthStateChanged(auth, (user) => (user ? vigil.start() : vigil.stop()));
 * ```
 * @throws TypeError for a URL that is none
 */
export function createVigil(options: VigilOptions): Vigil {
  const base = new URL(options.url).href.replace(/\/+$/, '');
  const store = createStore(IDLE);
  const listeners = new Map<string, Set<(event: never) => void>>();
  let p: Platform | undefined;

  const platform = () => (p ??= browser(options.platform));
  const getToken = (fresh: boolean) => within(platform(), TOKEN_WAIT, (async () => options.getToken(fresh))());
  const connection = createConnection({
    options,
    base,
    platform,
    store,
    getToken,
    emit<T extends keyof VigilEvents>(type: T, event: VigilEvents[T]) {
      for (const listener of [...(listeners.get(type) ?? [])]) safely(listener as (event: VigilEvents[T]) => void, event);
    },
  });

  async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
    // Anything else could lead the token to another host.
    if (!/^\/(?!\/)/.test(path)) throw new TypeError(`not a path of the service: ${path}`);
    let fresh = false;
    let registered = ''; // the sign-in that has been, in this call
    for (;;) {
      const token = await getToken(fresh);
      if (!token) throw new VigilError(401, 'token_missing', 'Nobody is signed in.');
      connection.follow(token);
      try {
        return await call<T>(platform(), base + path, method, token, body);
      } catch (error) {
        const { code } = error as VigilError;
        if (code === 'token_expired' && !fresh) fresh = true;
        else if (code === 'session_required' && connection.running() && registered !== claims(token).signIn) {
          registered = claims(token).signIn;
          await connection.register(token);
        } else {
          connection.learn(error as VigilError, token);
          throw error;
        }
      }
    }
  }

  return {
    getState: store.get,
    subscribe: store.subscribe,
    on(type, listener) {
      const mine = (event: never) => listener(event); // so that one that is given twice is called twice
      listeners.set(type, (listeners.get(type) ?? new Set()).add(mine));
      return () => void listeners.get(type)!.delete(mine);
    },
    start: connection.start,
    stop: connection.stop,
    now: connection.clock.now,
    async stayActive() {
      if (await connection.stay()) return;
      const times = await request<Times>('POST', '/v1/sessions/current/activity');
      connection.stayed();
      if (connection.running()) connection.clock.take(times);
    },
    sessions: async (all) => (await request<{ sessions: Session[] }>('GET', `/v1/sessions${all ? '?status=all' : ''}`)).sessions,
    async end(sessionId) {
      await request('DELETE', `/v1/sessions/${encodeURIComponent(sessionId)}`);
      if (sessionId === store.get().session?.id) connection.end('logout');
    },
    endOthers: async () => (await request<{ ended: number }>('DELETE', '/v1/sessions?scope=others')).ended,
    async logout(everywhere) {
      let reason: EndReason = 'logout';
      try {
        await request('POST', '/v1/logout', everywhere ? { allSessions: true } : undefined);
      } catch (error) {
        if (!(error instanceof VigilError)) throw error;
        const why = endOf(error);
        if (why) reason = why;
        else if (!['token_missing', 'session_required'].includes(error.code)) throw error; // these say that there is nothing to end
      }
      connection.end(reason);
    },
    request,
  };
}
