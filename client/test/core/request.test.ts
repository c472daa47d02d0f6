import { beforeEach, describe, expect, it, vi } from 'vitest';

import { createVigil, VigilError } from '../../src/core/index.js';
import { pass, Tab } from './browser.js';
import { sessionId, tokenOf } from './server.js';
import { browser, server, setUp, tab } from './setup.js';

setUp();

/** What comes of a promise while time passes. */
async function outcome<T>(promise: Promise<T>, ms = 200): Promise<T | VigilError> {
  const settled = promise.catch((error: VigilError) => error);
  await pass(ms);
  return settled;
}

describe('a request', () => {
  it('carries the token and a body, and gives the answer', async () => {
    server.intercept = () => new Response('{"userId":"ana"}');
    expect(await outcome(tab.vigil.request('PUT', '/v1/account/email', { email: 'a@example.com' }))).toEqual({ userId: 'ana' });
    const { init, body, path } = server.requests.at(-1)!;
    expect(path).toBe('/v1/account/email');
    expect(body).toEqual({ email: 'a@example.com' });
    expect(init.headers).toEqual({ Authorization: `Bearer ${await browser.getToken(false)}`, 'Content-Type': 'application/json' });
    await outcome(tab.vigil.request('GET', '/v1/token'));
    expect(server.requests.at(-1)!.init.headers).not.toHaveProperty('Content-Type');
  });

  it('is tried once more with a new token when the old one has expired', async () => {
    const old = await browser.getToken(false);
    server.badTokens.set(old!, 'token_expired');
    expect(await outcome(tab.vigil.sessions())).toHaveLength(1);
    tab.getToken.mockResolvedValue(old);
    const before = server.requests.length;
    expect(await outcome(tab.vigil.sessions())).toMatchObject({ code: 'token_expired' });
    expect(server.requests.length).toBe(before + 2);
    expect(tab.state.status).toBe('live');
  });

  it.each(['.evil.example/x', '@evil.example', '//evil.example/', 'v1/token', ''])('leads the token nowhere else: %j', async (path) => {
    const before = server.requests.length;
    expect(await outcome(tab.vigil.request('GET', path))).toBeInstanceOf(TypeError);
    expect(server.requests).toHaveLength(before);
  });

  it('fails with what the problem document says', async () => {
    const errors = [{ field: 'email', message: 'is not valid' }];
    server.intercept = () => server.problem(400, 'invalid_request', { errors });
    const error = await outcome(tab.vigil.request('GET', '/v1/token'));
    expect(error).toBeInstanceOf(VigilError);
    expect(error).toMatchObject({
      name: 'VigilError',
      status: 400,
      code: 'invalid_request',
      message: 'invalid_request.',
      details: { requestId: 'r1', errors },
    });
    expect((error as VigilError).details).not.toHaveProperty('reason');
  });

  it('needs a recent sign-in: that ends nothing', async () => {
    server.intercept = () => server.problem(401, 'reauth_required', { maxAge: 300 });
    expect(await outcome(tab.vigil.request('DELETE', '/v1/account'))).toMatchObject({ code: 'reauth_required', details: { maxAge: 300 } });
    expect(tab.state.status).toBe('live');
  });

  it.each([
    ['a page of a proxy', 502, '<html>'],
    ['a 401 of somebody else', 401, 'null'],
    ['a page instead of an answer', 200, '<html>'],
  ])('is unavailable for %s', async (_, status, text) => {
    server.intercept = () => new Response(text, { status });
    expect(await outcome(tab.vigil.sessions())).toMatchObject({ status, code: 'unavailable' });
    expect(tab.state.status).toBe('live');
  });

  it('can be had of any answer to a fetch', async () => {
    const problem = server.problem(401, 'reauth_required', { maxAge: 300 }, { 'Retry-After': '7' });
    expect(await VigilError.from(problem)).toMatchObject({
      status: 401, code: 'reauth_required', message: 'reauth_required.', details: { maxAge: 300, retryAfter: 7, requestId: 'r1' },
    });
    for (const text of ['<p>', '', 'null', '"no"', '{}', '{"code":500}'])
      expect(await VigilError.from(new Response(text, { status: 500 }))).toMatchObject({ status: 500, code: 'unavailable', details: {} });
  });

  it.each([
    ['the service says nothing', () => (server.silent = true)],
    ['the answer has no end', () => (server.intercept = () => new Response(new ReadableStream()))],
    ['the application gives no token', () => tab.getToken.mockReturnValue(new Promise(() => undefined))],
  ])('is unavailable in the end when %s', async (_, happens) => {
    happens();
    expect(await outcome(tab.vigil.request('GET', '/v1/events'), 31_000)).toMatchObject({ status: 0, code: 'unavailable', message: 'timeout' });
    expect(server.requests.every(({ init }) => init.signal!.aborted)).toBe(true);
  });

  it('fails with what the application says of its token', async () => {
    const error = new Error('auth/network-request-failed');
    tab.getToken.mockRejectedValueOnce(error);
    expect(await outcome(tab.vigil.sessions())).toBe(error);
  });

  it('is unavailable without a network', async () => {
    server.down = true;
    expect(await outcome(tab.vigil.sessions())).toMatchObject({ status: 0, code: 'unavailable', message: 'TypeError: Failed to fetch' });
  });

  it('is not even made while nobody is signed in', async () => {
    browser.signIn = null;
    const before = server.requests.length;
    expect(await outcome(tab.vigil.sessions())).toMatchObject({ status: 401, code: 'token_missing' });
    expect(server.requests.length).toBe(before);
  });

  it('registers where nothing is registered, once', async () => {
    server.sessions.clear();
    expect(await outcome(tab.vigil.sessions())).toHaveLength(1);
    server.intercept = (method) => (method === 'GET' ? server.problem(401, 'session_required') : undefined);
    expect(await outcome(tab.vigil.sessions())).toMatchObject({ code: 'session_required' });
  });

  it('registers nothing for a client that has not started', async () => {
    server.sessions.clear();
    const other = new Tab(browser);
    expect(await outcome(other.vigil.sessions())).toMatchObject({ code: 'session_required' });
    expect(server.sessions.size).toBe(0);
  });

  it.each([
    ['session_ended', { reason: 'session_limit' }, 'session_limit'],
    ['session_ended', {}, 'revoked'],
    ['ip_changed', { reason: 'ip_changed' }, 'ip_changed'],
    ['user_disabled', { reason: 'user_deleted' }, 'user_deleted'],
    ['user_disabled', {}, 'user_disabled'],
  ])('finds the session over: %s %j', async (code, more, reason) => {
    server.intercept = () => server.problem(401, code, more);
    expect(await outcome(tab.vigil.sessions())).toMatchObject({ code });
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith(reason);
  });

  it('finds the tokens revoked: why, the socket may say', async () => {
    const { id } = tab.state.session!;
    server.intercept = () => server.problem(401, 'token_revoked');
    await outcome(Promise.all([tab.vigil.sessions(), tab.vigil.sessions()]), 500);
    expect(tab.state.status).toBe('live');
    server.end(id, 'admin_revoked');
    await pass(2_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('admin_revoked');
  });

  it('finds the tokens revoked, and the socket does not say why', async () => {
    server.intercept = () => server.problem(401, 'token_revoked');
    await outcome(tab.vigil.sessions(), 15_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('tokens_revoked');
  });

  it('finds the tokens revoked, and before the socket could say why a new sign-in has begun', async () => {
    const old = server.peer.token;
    await pass(1_000);
    server.intercept = (_, __, token) => (token === old ? server.problem(401, 'token_revoked') : undefined);
    await outcome(tab.vigil.sessions(), 100);
    browser.reauthenticate();
    tab.vigil.start();
    await pass(15_000);
    expect(tab.onEnded).not.toHaveBeenCalled();
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
  });

  it('ends nothing when it was about a sign-in that has been left', async () => {
    await pass(2_000);
    server.intercept = (method, path) => {
      if (method !== 'GET') return undefined;
      browser.reauthenticate();
      tab.vigil.start();
      return path === '/v1/events' ? server.problem(401, 'session_ended', { reason: 'revoked' }) : undefined;
    };
    server.latency = 1;
    expect(await outcome(tab.vigil.request('GET', '/v1/events'), 1_000)).toMatchObject({ code: 'session_ended' });
    expect(tab.onEnded).not.toHaveBeenCalled();
    expect(tab.state.session!.id).toBe(sessionId(browser.signIn!));
  });
});

describe('sessions', () => {
  const other = { sub: 'ana', auth_time: 1 };
  const another = { sub: 'ana', auth_time: 2, sid: 'x' };

  beforeEach(() => {
    server.begin(other);
    server.begin(another);
  });

  it('are listed, with or without those that are over', async () => {
    server.end(sessionId(other), 'logout');
    expect(await outcome(tab.vigil.sessions())).toHaveLength(2);
    expect(await outcome(tab.vigil.sessions(true))).toHaveLength(3);
  });

  it('are told of as they come and go', async () => {
    const seen: unknown[] = [];
    const off = tab.vigil.on('started', ({ session }) => seen.push(session.id));
    tab.vigil.on('closed', (event) => seen.push(event));
    server.peer.push({ type: 'session_started', session: { id: '0f' } as never });
    server.peer.push({ type: 'session_closed', sessionId: '0f', reason: 'logout' });
    await pass(20);
    off();
    server.peer.push({ type: 'session_started', session: { id: '1f' } as never });
    await pass(20);
    expect(seen).toEqual(['0f', { sessionId: '0f', reason: 'logout' }]);
  });

  it('end one by one', async () => {
    await outcome(tab.vigil.end(sessionId(another)));
    expect(server.sessions.get(sessionId(another))!.session.endReason).toBe('revoked');
    expect(tab.state.status).toBe('live');
    await outcome(tab.vigil.end(tab.state.session!.id));
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('logout');
  });

  it('end with this one, whether or not the socket says so', async () => {
    server.peer.onmessage = server.peer.onclose = null;
    await outcome(tab.vigil.end(tab.state.session!.id));
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('logout');
  });

  it('end all but this one', async () => {
    expect(await outcome(tab.vigil.endOthers())).toBe(2);
    expect(tab.state.status).toBe('live');
  });

  it('end with a logout, here', async () => {
    server.latency = 0;
    const { logout } = tab.vigil;
    await outcome(logout());
    expect(server.requests.at(-1)).toMatchObject({ path: '/v1/logout', body: undefined });
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('logout');
  });

  it('end with a logout, everywhere', async () => {
    await outcome(tab.vigil.logout(true));
    expect(server.requests.at(-1)!.body).toEqual({ allSessions: true });
    expect(tab.state.ended).toBe('logout');
  });

  it('are over for a logout that comes late', async () => {
    server.intercept = () => server.problem(401, 'session_ended', { reason: 'revoked' });
    expect(await outcome(tab.vigil.logout())).toBeUndefined();
    expect(tab.state.ended).toBe('revoked');
  });

  it('are over for a logout with a token that was revoked', async () => {
    server.intercept = () => server.problem(401, 'token_revoked');
    expect(await outcome(tab.vigil.logout())).toBeUndefined();
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('tokens_revoked');
  });

  it('are over for a logout when nobody is signed in any more', async () => {
    server.end(tab.state.session!.id, 'revoked');
    await pass(20);
    browser.signIn = null;
    expect(await outcome(tab.vigil.logout())).toBeUndefined();
    expect(tab.state.ended).toBe('revoked');
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('revoked');
  });

  it('are over for a logout of one that could not begin', async () => {
    server.intercept = (method, path) => (method === 'POST' && path === '/v1/sessions' ? server.problem(409, 'session_limit') : undefined);
    browser.signIn = { sub: 'ben', auth_time: 1 };
    const other = new Tab(browser);
    other.vigil.start();
    await pass(1_000);
    expect(other.state).toMatchObject({ status: 'idle', error: { code: 'session_limit' } });
    expect(await outcome(other.vigil.logout())).toBeUndefined();
    expect(other.state).toMatchObject({ status: 'ended', ended: 'logout', error: null });
    expect(other.onEnded).toHaveBeenCalledExactlyOnceWith('logout');
  });

  it('are over for a logout of a client that has not begun', async () => {
    const other = new Tab(browser);
    expect(await outcome(other.vigil.logout())).toBeUndefined();
    expect(other.state.ended).toBe('logout');
    expect(other.onEnded).toHaveBeenCalledExactlyOnceWith('logout');
  });

  it('are over for a logout of a client that has given up', async () => {
    server.closeAll(4500);
    await pass(20);
    expect(tab.state.status).toBe('idle');
    expect(await outcome(tab.vigil.logout())).toBeUndefined();
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('logout');
  });

  it('go on when a logout does not reach the service', async () => {
    server.down = true;
    expect(await outcome(tab.vigil.logout())).toMatchObject({ code: 'unavailable' });
    tab.getToken.mockRejectedValueOnce(new Error('auth/network-request-failed'));
    expect(await outcome(tab.vigil.logout())).toMatchObject({ message: 'auth/network-request-failed' });
    expect(tab.onEnded).not.toHaveBeenCalled();
  });
});

describe('outside of a browser', () => {
  it('a client can be made, asked and started, and does nothing by itself', async () => {
    const vigil = createVigil({
      url: 'https://vigil.example.com',
      getToken: () => tokenOf({ sub: 'ana', auth_time: 1 }, 2e9),
      platform: { fetch: server.fetch },
    });
    const subscribed = vi.fn();
    vigil.subscribe(subscribed)();
    vigil.start();
    vigil.stop();
    expect(vigil.now()).toBe(Date.now());
    expect(vigil.getState()).toBe(vigil.getState());
    expect(subscribed).not.toHaveBeenCalled();
    server.begin({ sub: 'ana', auth_time: 1 });
    expect(await outcome(vigil.sessions())).toHaveLength(2);
  });

  it('a client with an address that is none cannot be made', () => {
    expect(() => createVigil({ url: 'vigil', getToken: () => null })).toThrow(TypeError);
  });

  it('takes what the browser offers', async () => {
    vi.stubGlobal('window', new EventTarget());
    vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible', cookie: '' }));
    vi.stubGlobal('navigator', { onLine: true });
    vi.stubGlobal('WebSocket', server.WebSocket);
    vi.stubGlobal('fetch', server.fetch);
    vi.stubGlobal('BroadcastChannel', undefined);
    const vigil = createVigil({ url: 'http://127.0.0.1:8080/base/', getToken: browser.getToken, cookie: {} });
    vigil.start();
    await pass(200);
    expect(vigil.getState().status).toBe('live');
    expect((server.peer as unknown as { url: string }).url).toBe('ws://127.0.0.1:8080/base/v1/ws');
    server.closeAll(1006);
    await pass(1_000);
    expect(vigil.getState().status).toBe('live');
    vigil.stop();
    vi.unstubAllGlobals();
  });
});
