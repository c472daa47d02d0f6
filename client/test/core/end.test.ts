import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { EndReason } from '../../src/core/index.js';
import { Browser, pass, sleep, Tab } from './browser.js';
import { sessionId } from './server.js';
import { browser, registrations, server, setUp, tab } from './setup.js';

setUp(() => new Tab(browser, { cookie: {} }).live());

/** Another tab's word that a session is over. */
function broadcastEnd(sessionId: string): void {
  for (const channel of browser.channels) channel.onmessage?.(new MessageEvent('message', { data: { sessionId, reason: 'revoked' } }));
}

describe('the end', () => {
  const reasons: EndReason[] = [
    'logout',
    'revoked',
    'admin_revoked',
    'tokens_revoked',
    'idle_timeout',
    'absolute_timeout',
    'session_limit',
    'ip_changed',
    'user_disabled',
    'user_deleted',
    'credentials_changed',
  ];

  it.each(reasons)('comes by the socket: %s', async (reason) => {
    const ended = vi.fn();
    tab.vigil.on('ended', ended);
    const sockets = server.peers.length;
    server.end(tab.state.session!.id, reason);
    await pass(600_000);
    expect(tab.state).toMatchObject({ status: 'ended', ended: reason, session: null, warning: null, idleDeadline: null, error: null });
    expect(ended).toHaveBeenCalledExactlyOnceWith({ reason });
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith(reason);
    expect(server.peers).toHaveLength(sockets);
    expect(browser.cookies.size).toBe(0);
    expect(browser.channels.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    [4502, 'revoked'],
    [4503, 'idle_timeout'],
    [4504, 'absolute_timeout'],
    [4505, 'user_disabled'],
  ] as const)('is known by the close code when the last frame is lost: %d', async (code, reason) => {
    server.closeAll(code);
    await pass(600_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith(reason);
    expect(server.peers).toHaveLength(2);
  });

  it('stays until the next start, also when the application stops', async () => {
    server.end(tab.state.session!.id, 'revoked');
    await pass(20);
    tab.vigil.stop();
    expect(tab.state.ended).toBe('revoked');
    browser.reauthenticate();
    await tab.live();
    expect(tab.state.ended).toBeNull();
    expect(registrations().at(-1)!.body).not.toHaveProperty('replaces');
  });

  it('is told again to a sign-in that is spent', async () => {
    server.end(tab.state.session!.id, 'revoked');
    await pass(20);
    tab.vigil.start();
    await pass(2_000);
    expect(tab.onEnded.mock.calls).toEqual([['revoked'], ['revoked']]);
  });

  it('is the answer to a registration of a sign-in that is too old', async () => {
    server.sessions.clear();
    server.intercept = (method, path) =>
      method === 'POST' && path === '/v1/sessions' ? server.problem(401, 'reauth_required', { maxAge: 0 }) : undefined;
    server.closeAll(4000);
    await pass(3_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('absolute_timeout');
  });

  it('is told to the other tabs of the session, and to no other', async () => {
    const other = await new Tab(browser).live();
    await pass(1_000); // another second, another sign-in
    const moved = await new Tab(Object.assign(new Browser(server), { channels: browser.channels })).live();
    // Only one socket says so.
    server.live.filter((peer) => peer !== server.peers[1] && peer.id === tab.state.session!.id).forEach((peer) => (peer.onmessage = null));
    server.end(tab.state.session!.id, 'revoked');
    await pass(20);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('revoked');
    expect(other.onEnded).toHaveBeenCalledExactlyOnceWith('revoked');
    expect(moved.state.status).toBe('live');
    for (const channel of browser.channels) channel.onmessage?.(new MessageEvent('message', { data: 'of somebody else' }));
    expect(moved.state.status).toBe('live');
  });

  it('needs no channel', async () => {
    const alone = await new Tab(browser, { platform: { BroadcastChannel: null } }).live();
    server.end(alone.state.session!.id, 'revoked');
    await pass(20);
    expect(alone.onEnded).toHaveBeenCalledOnce();
  });

  it('is not taken back by what was under way', async () => {
    const { peer } = server;
    const { onmessage, onclose } = peer;
    let answer!: (token: string) => void;
    tab.getToken.mockReturnValue(new Promise((resolve) => (answer = resolve)));
    await pass(30_000); // a heartbeat waits for its token
    const request = tab.vigil.request('GET', '/v1/sessions').catch(() => undefined);
    server.end(tab.state.session!.id, 'revoked');
    await pass(21_000); // a token that does not come keeps no end away
    const { state } = tab;
    answer(server.peer.token);
    onmessage!.call(peer as never, new MessageEvent('message', { data: '{"type":"session_revoked","reason":"logout"}' }));
    onclose!.call(peer as never, Object.assign(new Event('close'), { code: 4502 }) as never);
    tab.online(true);
    tab.show('visible');
    await pass(60_000);
    await request;
    expect(tab.state).toBe(state);
    expect(tab.onEnded).toHaveBeenCalledOnce();
    expect(browser.cookies.size).toBe(0);
  });

  it('is not kept from anybody by a listener that fails', async () => {
    const thrown: unknown[] = [];
    vi.stubGlobal('queueMicrotask', (callback: () => void) => {
      try {
        callback();
      } catch (error) {
        thrown.push(error);
      }
    });
    tab.vigil.subscribe(() => {
      throw new Error('listener');
    });
    server.end(tab.state.session!.id, 'revoked');
    await pass(20);
    vi.unstubAllGlobals();
    expect(tab.onEnded).toHaveBeenCalledOnce();
    expect(thrown).toEqual([new Error('listener')]);
  });
});

describe('a new sign-in', () => {
  beforeEach(() => pass(2_000));

  it('takes the place of one that the socket has not told of yet', async () => {
    const old = tab.state.session!.id;
    const before = registrations().length;
    browser.reauthenticate();
    void tab.vigil.sessions();
    while (registrations().length === before || server.sessions.size < 2) await pass(1);
    expect(tab.state.session!.id).toBe(old);
    browser.signIn = { ...browser.signIn!, sid: 'another, in the same second' };
    void tab.vigil.sessions();
    await pass(2_000);
    expect([...server.sessions.values()].filter(({ session }) => !session.endReason).map(({ session }) => session.id)).toEqual([
      sessionId(browser.signIn!),
    ]);
  });

  it('takes the place of the old one at the next heartbeat', async () => {
    const old = tab.state.session!.id;
    browser.reauthenticate();
    await pass(31_000);
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
    expect(registrations().at(-1)!.body.replaces).toBe(old);
    expect(server.sessions.get(old)!.session.endReason).toBe('replaced');
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('does so at once when it is started again', async () => {
    browser.reauthenticate();
    await tab.live();
    expect(tab.state.session!.id).toBe(sessionId(browser.signIn!));
  });

  it('does so with a request', async () => {
    browser.reauthenticate();
    const sessions = tab.vigil.sessions();
    await pass(500);
    expect((await sessions).map(({ id }) => id)).toContain(sessionId(browser.signIn!));
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
    expect(registrations()).toHaveLength(2);
  });

  it('is followed by the other tabs', async () => {
    const other = await new Tab(browser).live();
    browser.reauthenticate();
    await tab.live();
    await pass(1_000);
    expect(other.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
    expect(other.onEnded).not.toHaveBeenCalled();
  });

  it.each(['replaced', 'tokens_revoked'] as const)('is waited for, and if there is none it is over: %s', async (reason) => {
    server.end(tab.state.session!.id, reason);
    await pass(9_000);
    expect(tab.state.status).toBe('reconnecting');
    tab.show('visible'); // looking again neither shortens the wait nor begins it anew
    tab.online(true);
    tab.vigil.start();
    await pass(3_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith(reason);
    expect(server.peers).toHaveLength(2);
  });

  it.each(['replaced', 'tokens_revoked'] as const)('is waited for without limit while nobody looks: %s', async (reason) => {
    tab.show('hidden');
    server.end(tab.state.session!.id, reason);
    await pass(600_000);
    expect(tab.onEnded).not.toHaveBeenCalled();
    tab.show('visible');
    await pass(3_000);
    browser.reauthenticate();
    await pass(2_000);
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
  });

  const old = () => tab.state.session!.id;
  it.each([
    ['a frame', () => server.end(old(), 'revoked')],
    ['a close', () => server.closeAll(4503)],
    ['another tab', () => broadcastEnd(old())],
    [
      'a request',
      () => {
        server.end(old(), 'revoked');
        server.peer.onmessage = server.peer.onclose = null;
        tab.getToken.mockResolvedValueOnce(server.peer.token);
        tab.vigil.sessions().catch(() => undefined);
      },
    ],
  ])('outlives the end of the old one that is learnt late: %s', async (_, learn) => {
    browser.reauthenticate();
    learn();
    await pass(5_000);
    expect(tab.onEnded).not.toHaveBeenCalled();
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
  });

  it.each([
    ['at once', 0],
    ['from the next connection', 60_000],
  ])('outlives an end that a page learns when it wakes, before it knows of the sign-in: %s', async (_, away) => {
    const { id } = tab.state.session!;
    if (away) {
      tab.window.dispatchEvent(new Event('pagehide'));
      server.end(id, 'idle_timeout');
      sleep(away);
      tab.window.dispatchEvent(new Event('pageshow'));
    } else {
      tab.show('visible');
      server.end(id, 'idle_timeout');
    }
    await pass(800);
    browser.reauthenticate();
    await pass(2_000);
    expect(tab.onEnded).not.toHaveBeenCalled();
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
  });

  it('hears nothing of the old one from other tabs while it begins', async () => {
    const { id } = tab.state.session!;
    browser.reauthenticate();
    server.silent = true;
    tab.vigil.start();
    await pass(100);
    const sockets = server.peers.length;
    broadcastEnd(id);
    await pass(3_000); // an end would not be believed at once
    expect(tab.state.status).toBe('reconnecting');
    expect(server.peers).toHaveLength(sockets);
  });

  it('that is refused says nothing to other tabs about the old one', async () => {
    browser.reauthenticate();
    server.intercept = (method) => (method === 'POST' ? server.problem(401, 'reauth_required', { maxAge: 0 }) : undefined);
    const told = [...browser.channels].map((channel) => vi.spyOn(channel, 'postMessage'));
    tab.vigil.start();
    await pass(3_000);
    expect(tab.state.ended).toBe('absolute_timeout');
    expect(told).toHaveLength(1);
    expect(told[0]).not.toHaveBeenCalled();
  });

  it('may follow a revocation: changing a password ends all tokens', async () => {
    const old = tab.state.session!.id;
    browser.reauthenticate();
    server.end(old, 'tokens_revoked');
    await pass(1_000);
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('may be of another user', async () => {
    browser.signIn = { sub: 'ben', auth_time: 1 };
    await pass(31_000);
    expect(tab.state).toMatchObject({ status: 'live', session: { userId: 'ben' } });
    expect(registrations().at(-1)!.body).not.toHaveProperty('replaces');
  });

  it('of another user shows nothing of the one before', async () => {
    browser.signIn = { sub: 'ben', auth_time: 1 };
    server.silent = true;
    tab.vigil.start();
    await pass(100);
    expect(tab.state).toMatchObject({ status: 'connecting', session: null, idleDeadline: null, warning: null });
  });
});

describe('the socket refuses a token', () => {
  it('that was revoked: the end', async () => {
    server.closeAll(4501, { type: 'auth_expired', reason: 'token_revoked' });
    await pass(12_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('tokens_revoked');
  });

  it('that is invalid: a new one may do', async () => {
    server.badTokens.set(server.peer.token, 'token_invalid');
    server.closeAll(4501, { type: 'auth_expired', reason: 'token_invalid' });
    await pass(1_000);
    expect(tab.state.status).toBe('live');
  });

  it('and HTTP finds it expired: a new one does', async () => {
    server.sessions.clear();
    const old = server.peer.token;
    server.intercept = (_, __, token) => (token === old ? server.problem(401, 'token_expired') : undefined);
    server.closeAll(4000);
    await pass(2_000);
    expect(tab.state.status).toBe('live');
  });

  it('when nobody is signed in any more: idle', async () => {
    tab.getToken.mockResolvedValue(null);
    server.closeAll(4501, { type: 'auth_expired', reason: 'session_required' });
    await pass(1_000);
    expect(tab.state.status).toBe('idle');
  });
});
