import { beforeEach, describe, expect, it } from 'vitest';

import { Browser, pass, Tab } from './browser.js';
import { sessionId } from './server.js';
import { browser, registrations, server, setUp, START, tab } from './setup.js';

setUp(() => new Tab(browser, { deviceName: 'Kitchen', device: { type: 'tablet', os: 'iPadOS 19' } }));

/** An answer takes a moment. */
const moment = () => new Promise((resolve) => setTimeout(resolve, 100));

describe('a session begins', () => {
  it('with a registration when nothing is registered, and a socket', async () => {
    const statuses: string[] = [];
    tab.vigil.subscribe(() => statuses.push(tab.state.status));
    await tab.live();
    expect(statuses).toEqual(['connecting', 'connecting', 'live'].slice(-statuses.length));
    expect(registrations()).toHaveLength(1);
    expect(registrations()[0]).toMatchObject({ body: { deviceName: 'Kitchen', device: { type: 'tablet', os: 'iPadOS 19' } } });
    expect(registrations()[0]!.body).not.toHaveProperty('replaces');
    expect(registrations()[0]!.init).toMatchObject({ cache: 'no-store', credentials: 'omit', redirect: 'error' });
    expect(server.peers.map((peer) => (peer as unknown as { url: string }).url)).toEqual(
      Array(2).fill('wss://vigil.example.com/v1/ws'),
    );
    expect(tab.state).toMatchObject({
      status: 'live',
      session: { id: sessionId(browser.signIn!) },
      warnAt: expect.any(Number),
      error: null,
      ended: null,
      warning: null,
    });
    expect(tab.state.idleDeadline! - tab.state.warnAt!).toBe(server.idleWarning);
  });

  it('without one when it is live already', async () => {
    server.begin(browser.signIn!);
    await tab.live();
    expect(registrations()).toHaveLength(0);
    expect(server.peers).toHaveLength(1);
  });

  it('once, however often it is started', async () => {
    tab.vigil.start();
    tab.vigil.start();
    await tab.live();
    tab.vigil.stop();
    expect(tab.state.status).toBe('idle');
    await tab.live();
    expect(server.live).toHaveLength(1);
  });

  it('without haste for an application that starts it for every token', async () => {
    server.begin(browser.signIn!);
    tab.getToken.mockImplementation(async (force) => {
      if (force) setTimeout(() => tab.vigil.start());
      await moment();
      return browser.getToken(force);
    });
    server.receive = (peer) => peer.hangUp(4001, { type: 'auth_expired', reason: 'token_expired' });
    tab.vigil.start();
    await pass(60_000);
    expect(tab.getToken.mock.calls.filter(([force]) => force).length).toBeLessThan(20);
    expect(server.peers.length).toBeLessThan(20);
  });

  it('while it waits: at once for a new sign-in, and for no other', async () => {
    server.random = () => 0.999;
    server.down = true;
    tab.vigil.start();
    await pass(40_000);
    server.down = false;
    const before = server.peers.length;
    tab.vigil.start();
    await pass(100);
    expect(server.peers).toHaveLength(before);
    browser.reauthenticate();
    tab.vigil.start();
    await pass(200);
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
  });

  it('one after the other: the later sign-in takes the place of the earlier one', async () => {
    server.intercept = (method) => void (server.latency = method === 'POST' ? 1_000 : 10);
    tab.vigil.start();
    await pass(45); // the registration is under way
    server.latency = 10;
    const first = sessionId(browser.signIn!);
    browser.signIn = { sub: 'ana', auth_time: 7 };
    void tab.vigil.sessions();
    await pass(5_000);
    expect(registrations().map(({ body }) => body.replaces)).toEqual([undefined, first]);
    expect(server.sessions.get(first)!.session.endReason).toBe('replaced');
  });

  it('of a sign-in that comes while an attempt is under way', async () => {
    server.begin(browser.signIn!);
    tab.vigil.start();
    await pass(15);
    browser.signIn = { sub: 'ana', auth_time: 7 };
    tab.vigil.start();
    await pass(300);
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn!) } });
  });

  it('for nobody while nobody is signed in', async () => {
    browser.signIn = null;
    tab.vigil.start();
    await pass(60_000);
    expect(tab.state.status).toBe('idle');
    expect(server.peers).toHaveLength(0);
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('and tells what is unusual about it, once', async () => {
    const alerts: unknown[] = [];
    tab.vigil.on('alert', (alert) => alerts.push(alert));
    const alert = { type: 'new_device', sessionId: sessionId(browser.signIn!), device: 'Chrome on Windows' };
    server.alerts = [alert];
    await tab.live();
    server.peer.push({ type: 'security_alert', alert });
    server.peer.push({ type: 'security_alert', alert: { type: 'new_country', sessionId: alert.sessionId } });
    await pass(100);
    expect(alerts).toEqual([alert, { type: 'new_country', sessionId: alert.sessionId }]);
  });

  it('not with a token that the service does not take', async () => {
    server.intercept = (method) => (method === 'POST' ? server.problem(401, 'token_invalid') : undefined);
    tab.vigil.start();
    await pass(600_000);
    expect(tab.state).toMatchObject({ status: 'idle', error: { code: 'token_invalid', status: 401 } });
    expect(server.peers).toHaveLength(1);
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('not beyond the limit of sessions, until it is started again', async () => {
    server.intercept = (method) => (method === 'POST' ? server.problem(409, 'session_limit') : undefined);
    tab.vigil.start();
    await pass(600_000);
    expect(tab.state).toMatchObject({ status: 'idle', error: { code: 'session_limit' } });
    server.intercept = () => undefined;
    await tab.live();
    expect(tab.state.error).toBeNull();
  });

  it('after the time that the service asks for', async () => {
    server.intercept = (method) => (method === 'POST' ? server.problem(429, 'rate_limited', {}, { 'Retry-After': '7' }) : undefined);
    tab.vigil.start();
    await pass(6_900);
    expect(registrations()).toHaveLength(1);
    expect(tab.state).toMatchObject({ status: 'reconnecting', error: { code: 'rate_limited', details: { retryAfter: 7 } } });
    server.intercept = () => undefined;
    await pass(1_000);
    expect(tab.state.status).toBe('live');
  });

  it('in spite of a socket that goes on asking for it, without haste', async () => {
    server.begin(browser.signIn!);
    const receive = server.receive.bind(server);
    server.receive = (peer) => peer.hangUp(4501, { type: 'auth_expired', reason: 'token_missing' });
    tab.vigil.start();
    await pass(60_000);
    expect(registrations().length).toBeGreaterThan(2);
    expect(registrations().length).toBeLessThan(15);
    server.receive = receive;
    await pass(40_000);
    expect(tab.state.status).toBe('live');
  });

  it.each([
    ['hangs', () => undefined],
    ['is under way when the page is put away', (other: Tab) => ['pagehide', 'pageshow'].forEach((type) => other.act(type))],
  ])('with another attempt when a registration %s', async (_, happens) => {
    let hung = false;
    const other = new Tab(browser, {
      platform: {
        fetch: (input, init) => {
          if (hung) return server.fetch(input, init);
          hung = true;
          return new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(new Error('aborted'))));
        },
      },
    });
    other.vigil.start();
    await pass(1_000);
    expect(hung).toBe(true);
    happens(other);
    await pass(31_000);
    expect(other.state.status).toBe('live');
  });
});

describe('a lost connection', () => {
  beforeEach(() => tab.live());

  it.each([1006, 1001, 1009, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4499])('comes back after %d', async (code) => {
    server.closeAll(code);
    await pass(20);
    expect(tab.state).toMatchObject({ status: 'reconnecting', error: { code: 'unavailable', status: 0 }, session: { userId: 'ana' } });
    await pass(31_000);
    expect(tab.state).toMatchObject({ status: 'live', error: null });
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it.each([4500, 4507, 4999])('does not after %d', async (code) => {
    server.closeAll(code);
    await pass(600_000);
    expect(tab.state).toMatchObject({ status: 'idle', error: { message: `closed: ${code}` } });
    expect(server.peers).toHaveLength(2);
  });

  it('comes back after 4001 with a new token', async () => {
    const old = await browser.getToken(false);
    server.closeAll(4001, { type: 'auth_expired', reason: 'token_expired' });
    await pass(1_000);
    expect(server.peer.frames[0]).toMatchObject({ type: 'auth' });
    expect(server.peer.token).not.toBe(old);
    expect(tab.state.status).toBe('live');
  });

  it('comes back when the last frame has come and the close has not', async () => {
    server.peer.push({ type: 'auth_expired', reason: 'token_expired' });
    await pass(7_000);
    expect(server.live).toHaveLength(1);
    expect(server.peers).toHaveLength(3);
  });

  it('tells after how long it has come back, once', async () => {
    await pass(20_000);
    server.down = true;
    server.closeAll(1006);
    await pass(10_000);
    server.down = false;
    await pass(95_000);
    const pings = server.peer.frames.filter(({ type }) => type === 'ping');
    expect(pings[0]).toMatchObject({ reconnectedAfterMs: expect.any(Number) });
    expect((pings[0] as { reconnectedAfterMs: number }).reconnectedAfterMs).toBeGreaterThan(9_000);
    expect(pings[1]).not.toHaveProperty('reconnectedAfterMs');
  });

  it('signs nobody out, however long it lasts', async () => {
    server.idleTimeout = 86_400_000;
    server.intercept = () => server.problem(503, 'unavailable', {}, { 'Retry-After': '2' });
    const receive = server.receive;
    server.receive = (peer) => peer.hangUp(4002);
    server.closeAll(4002);
    await pass(3_600_000);
    expect(tab.state).toMatchObject({ status: 'reconnecting', session: { userId: 'ana' } });
    const refused = expect(tab.vigil.sessions()).rejects.toMatchObject({ status: 503, code: 'unavailable', details: { retryAfter: 2 } });
    await pass(100);
    await refused;
    server.receive = receive;
    await pass(31_000);
    expect(tab.state.status).toBe('live');
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('waits longer and longer, and begins anew after a good connection', async () => {
    server.random = () => 0.999;
    server.down = true;
    server.closeAll(1006);
    const from = Date.now();
    await pass(200_000);
    const at = server.peers.slice(2).map((peer) => peer.at - from);
    const gaps = at.map((time, n) => time - (at[n - 1] ?? 0));
    [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].forEach((gap, n) => expect(Math.abs(gaps[n]! - gap)).toBeLessThan(60));
    server.down = false;
    await pass(60_000);
    expect(tab.state.status).toBe('live');
    const before = server.peers.length;
    server.closeAll(1006);
    await pass(520);
    expect(server.peers.length).toBe(before + 1);
  });

  it('waits longer and longer for one that never lasts', async () => {
    server.random = () => 0.999;
    const from = server.peers.length;
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      const lost = Date.now();
      server.closeAll(1006);
      await pass(20);
      expect(tab.state.status).toBe('reconnecting');
      while (server.peer.at <= lost || !server.peer.id) await pass(50);
      waits.push(server.peer.at - lost);
      await pass(9_000);
    }
    expect(server.peers.length).toBe(from + 5);
    [500, 1000, 2000, 4000, 8000].forEach((wait, n) => expect(Math.abs(waits[n]! - wait)).toBeLessThan(60));
  });

  it('is found by a heartbeat without an answer', async () => {
    server.silent = true;
    await pass(41_000);
    expect(tab.state.status).toBe('reconnecting');
    server.silent = false;
    await pass(50_000);
    expect(tab.state.status).toBe('live');
  });

  it('does not wait for a socket that never opens', async () => {
    server.silent = true;
    server.closeAll(1006);
    await pass(16_000);
    const stuck = server.peer;
    await pass(1_000);
    server.silent = false;
    await pass(20_000);
    expect(stuck.closedWith).toBe(1000);
    expect(tab.state.status).toBe('live');
  });

  it('does not wait for a token that never comes', async () => {
    tab.getToken.mockReturnValueOnce(new Promise(() => undefined));
    server.closeAll(1006);
    await pass(1_000);
    tab.show('visible');
    await pass(15_000);
    expect(tab.state.status).toBe('reconnecting');
    await pass(10_000);
    expect(tab.state.status).toBe('live');
  });

  it('may be one that cannot even be tried', async () => {
    const bad = new Tab(new Browser(server), {
      platform: {
        WebSocket: class {
          constructor() {
            throw new DOMException('blocked', 'SecurityError');
          }
        } as never,
      },
    });
    bad.vigil.start();
    await pass(100);
    expect(bad.state).toMatchObject({ status: 'reconnecting', error: { name: 'SecurityError' } });
  });

  it('is not lost for what it does not understand', async () => {
    const { state } = tab;
    server.peer.push({ type: 'news' } as never);
    server.peer.onmessage!.call(server.peer as never, new MessageEvent('message', { data: '{' }));
    await pass(100);
    expect(tab.state).toBe(state);
  });
});

it('a storm of a hundred clients is spread', async () => {
  server.socketsPerSession = 100;
  const tabs = Array.from({ length: 100 }, () => new Tab(new Browser(server)));
  await Promise.all(tabs.map((each) => each.vigil.start()));
  await pass(1_000);
  expect(server.live).toHaveLength(100);
  const before = server.peers.length;
  server.down = true;
  server.closeAll(4000);
  await pass(8_000);
  server.down = false;
  await pass(30_000);
  expect(server.live).toHaveLength(100);
  const at = server.peers.slice(before).map((peer) => peer.at - START);
  const perTenth = new Map<number, number>();
  for (const time of at) perTenth.set(Math.floor(time / 100), (perTenth.get(Math.floor(time / 100)) ?? 0) + 1);
  expect(Math.max(...perTenth.values())).toBeLessThan(45);
  expect(at.length).toBeLessThan(1_000);
});
