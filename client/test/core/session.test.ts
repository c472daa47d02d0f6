import { describe, expect, it, vi } from 'vitest';

import { Browser, pass, sleep, Tab } from './browser.js';
import { browser, sent, server, setUp, tab } from './setup.js';

setUp();

describe('a heartbeat', () => {
  it('comes every interval, with the token only when it is new', async () => {
    await pass(95_000);
    expect(sent('ping')).toHaveLength(3);
    expect(sent('ping').every((ping) => !('token' in ping))).toBe(true);
    await browser.getToken(true);
    await pass(60_000);
    expect(sent('ping').filter((ping) => 'token' in ping)).toHaveLength(1);
  });

  it('renews the token under way, again and again', async () => {
    server.idleTimeout = 86_400_000;
    await pass(5 * 3600_000);
    expect(server.peers).toHaveLength(2);
    expect(tab.state.status).toBe('live');
    expect(sent('ping').filter((ping) => 'token' in ping).length).toBeGreaterThan(4);
  });

  it('asks for a new token when the server does not take the one it has, once', async () => {
    tab.getToken.mockClear();
    server.badTokens.set(server.peer.token, 'token_expired');
    await pass(30_100);
    expect(tab.getToken.mock.calls.filter(([force]) => force)).toHaveLength(1);
    expect(sent('ping').at(-1)).toMatchObject({ token: await browser.getToken(false) });
    await pass(60_000);
    expect(tab.getToken.mock.calls.filter(([force]) => force)).toHaveLength(1);
    expect(server.peers).toHaveLength(2);
  });

  it('renews a token before the server takes it no more', async () => {
    browser.tokenLife = 3600;
    server.tokenLife = 600_000; // the server's own limit
    const other = await new Tab(browser).live();
    other.getToken.mockClear();
    await pass(500_000);
    expect(other.getToken.mock.calls.filter(([force]) => force)).toHaveLength(0);
    await pass(60_000);
    expect(other.getToken.mock.calls.filter(([force]) => force)).toHaveLength(1);
    expect(server.peer.token).toBe(await browser.getToken(false));
  });

  it('offers a token again that the server could not look at', async () => {
    await browser.getToken(true);
    const token = await browser.getToken(false);
    const receive = server.receive.bind(server);
    server.receive = (peer, { type, timestamp }: any) => {
      if (type !== 'ping') return;
      const { idleDeadline } = tab.state.session!;
      peer.push({ type: 'pong', timestamp, serverTime: server.iso(server.now()), tokenValid: true, error: 'unavailable', idleDeadline });
    };
    await pass(31_000);
    server.receive = receive;
    await pass(60_000);
    expect(sent('ping').map((ping) => (ping as { token?: string }).token)).toEqual([token, token, undefined]);
  });

  it('asks again the next time', async () => {
    for (let n = 1; n <= 2; n++) {
      server.badTokens.set(server.peer.token, 'token_expired');
      await pass(60_000);
      expect(tab.getToken.mock.calls.filter(([force]) => force)).toHaveLength(n);
    }
  });

  it('renews a token that soon counts no more once each, though the application starts again for every new one', async () => {
    server.tokenLife = 45_000;
    let forced = 0;
    tab.getToken.mockImplementation(async (force) => {
      if (force && ++forced > 20) throw new Error('without end');
      const before = await browser.getToken(false);
      const token = await browser.getToken(force);
      if (token !== before) queueMicrotask(() => tab.vigil.start()); // onIdTokenChanged
      return token;
    });
    server.closeAll(4000);
    await pass(1_000);
    for (let n = 1; n <= 3; n++) {
      await pass(30_000);
      expect(forced).toBe(n);
    }
    expect(tab.state.status).toBe('live');
    expect(server.peers).toHaveLength(3);
  });

  it('goes on without a token when there is none to be had now', async () => {
    tab.getToken.mockRejectedValue(new Error('auth/network-request-failed'));
    await pass(60_100);
    expect(sent('ping')).toHaveLength(2);
    expect(tab.state.status).toBe('live');
    server.closeAll(4000);
    await pass(60_000);
    expect(tab.state).toMatchObject({ status: 'reconnecting', error: { message: 'auth/network-request-failed' } });
    tab.getToken.mockImplementation(browser.getToken);
    await pass(31_000);
    expect(tab.state.status).toBe('live');
  });

  it('notices that nobody is signed in any more', async () => {
    browser.signIn = null;
    await pass(30_100);
    expect(tab.state).toMatchObject({ status: 'idle', session: null, error: null });
    expect(server.live).toHaveLength(0);
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('refreshes the token when the claims have changed, and says so', async () => {
    const claims = vi.fn();
    tab.vigil.on('claims', claims);
    const old = server.peer.token;
    server.peer.push({ type: 'claims_changed' });
    await pass(100);
    expect(claims).toHaveBeenCalledOnce();
    expect(server.peer.token).not.toBe(old);
  });
});

describe("the server's clock", () => {
  it.each([0, 3600_000, -3600_000])('is %d ms ahead: deadlines are by it', async (skew) => {
    server.skew = skew;
    const other = await new Tab(new Browser(server)).live();
    expect(Math.abs(other.state.offset - skew)).toBeLessThan(server.latency + 2);
    expect(Math.abs(other.vigil.now() - server.now())).toBeLessThan(server.latency + 2);
    const left = other.state.idleDeadline! - other.vigil.now();
    expect(left).toBeGreaterThan(server.idleTimeout - 2_000);
    expect(left).toBeLessThanOrEqual(server.idleTimeout);
    server.warn(other.state.session!.id);
    await pass(20);
    expect(other.state.warning).toEqual({ deadline: other.state.idleDeadline });
  });

  it('is followed when this one is set', async () => {
    sleep(-7200_000); // set back: to the server nothing has happened
    server.skew = 7200_000;
    await pass(65_000);
    expect(Math.abs(tab.vigil.now() - server.now())).toBeLessThan(server.latency + 2);
    tab.act();
    await pass(20);
    expect(sent('activity')).toHaveLength(1);
  });

  it('is not learnt from an answer that came before its question', async () => {
    const { offset } = tab.state;
    server.latency = 1_000;
    tab.show('visible');
    await pass(500);
    sleep(-3600_000);
    await pass(1_600);
    expect(tab.state.offset).toBe(offset);
  });

  it('does not tremble', async () => {
    const { offset } = tab.state;
    const { state } = tab;
    for (const latency of [40, 5, 200, 10]) {
      server.latency = latency;
      await pass(30_000);
    }
    expect(tab.state.offset).toBe(offset);
    expect(tab.state).toBe(state);
  });
});

describe('idleness', () => {
  const untilWarning = async () => {
    await pass(server.idleTimeout - server.idleWarning);
    server.warn(tab.state.session!.id);
    await pass(20);
  };

  it('is warned of, and taken back by activity anywhere', async () => {
    const other = await new Tab(browser).live();
    await untilWarning();
    expect(tab.state.warning).toEqual({ deadline: tab.state.idleDeadline });
    expect(other.state.warning).not.toBeNull();
    other.act();
    await pass(30);
    expect(tab.state.warning).toBeNull();
    expect(other.state.warning).toBeNull();
    expect(tab.state.warnAt).toBeGreaterThan(tab.vigil.now());
  });

  it('is warned of at once when the page comes in between', async () => {
    await pass(server.idleTimeout - 60_000);
    const late = await new Tab(browser).live();
    expect(late.state.warning).toEqual({ deadline: late.state.idleDeadline });
  });

  it('is prevented by a wish to stay, at once', async () => {
    await untilWarning();
    tab.act();
    await pass(1_000);
    const frames = sent('activity').length;
    const answered = vi.fn();
    const stay = tab.vigil.stayActive().then(answered);
    expect(sent('activity').length).toBe(frames + 1);
    await pass(15);
    expect(answered).not.toHaveBeenCalled();
    await pass(15);
    await stay;
    expect(tab.state.warning).toBeNull();
  });

  it('is prevented without a socket too', async () => {
    await untilWarning();
    server.closeAll(4000);
    server.down = true;
    await pass(20);
    server.down = false;
    const stay = tab.vigil.stayActive();
    await pass(20);
    await stay;
    expect(sent('activity')).toHaveLength(0);
    expect(tab.state.warning).toBeNull();
    await pass(2_000); // the next connection has nothing to make up for
    expect(tab.state.status).toBe('live');
    expect(sent('activity')).toHaveLength(0);
  });

  it('is prevented after the connection that swallowed the wish', async () => {
    await untilWarning();
    server.silent = true;
    void tab.vigil.stayActive();
    await pass(5_500);
    server.silent = false;
    await pass(20_000);
    expect(tab.state).toMatchObject({ status: 'live', warning: null });
  });

  it('is prevented only by what counts: again, with a token that does', async () => {
    await untilWarning();
    server.badTokens.set(server.peer.token, 'token_expired');
    let renewed!: () => void;
    tab.getToken.mockImplementation(async (force) => {
      if (force) await new Promise<void>((resolve) => (renewed = resolve));
      return browser.getToken(force);
    });
    const answered = vi.fn();
    const stay = tab.vigil.stayActive().then(answered);
    await pass(5_000);
    expect(answered).not.toHaveBeenCalled();
    renewed();
    await pass(50);
    await stay;
    expect(tab.state.warning).toBeNull();
    expect(server.peers).toHaveLength(2);
  });

  it('is not prevented by a token that never counts again', async () => {
    await untilWarning();
    const old = server.peer.token;
    server.badTokens.set(old, 'token_expired');
    tab.getToken.mockImplementation(async (force) => {
      if (force) throw new Error('auth/network-request-failed');
      return old;
    });
    const refused = expect(tab.vigil.stayActive()).rejects.toThrow('auth/network-request-failed');
    await pass(server.reauthGrace + 1_000);
    await refused;
    expect(tab.state.warning).not.toBeNull();
  });

  it('is prevented by HTTP when the socket has died', async () => {
    await untilWarning();
    server.peer.onmessage = null;
    server.down = true; // for sockets
    server.peer.send = () => undefined;
    const stay = tab.vigil.stayActive();
    await pass(4_900);
    server.down = false;
    await pass(200);
    await stay;
    expect(server.requests.at(-1)!.path).toBe('/v1/sessions/current/activity');
    expect(tab.state.warning).toBeNull();
  });

  it('is prevented by a wish that no connection has answered, until the deadline', async () => {
    await untilWarning();
    server.down = true;
    server.closeAll(1006);
    await pass(20);
    const refused = expect(tab.vigil.stayActive()).rejects.toMatchObject({ code: 'unavailable' });
    await pass(60_000);
    await refused;
    server.down = false;
    await pass(31_000);
    expect(tab.state).toMatchObject({ status: 'live', warning: null });
    expect(tab.state.idleDeadline).toBeGreaterThan(tab.vigil.now() + server.idleWarning);
  });

  it('is warned of while the service is out of reach', async () => {
    server.down = true;
    server.closeAll(1006);
    await pass(server.idleTimeout - server.idleWarning + 1_000);
    expect(tab.state).toMatchObject({ status: 'reconnecting', warning: { deadline: tab.state.idleDeadline } });
  });

  it('is warned of when the connection turns out to be dead by then', async () => {
    await pass(server.idleTimeout - server.idleWarning - 2_000);
    server.silent = true;
    await pass(12_000);
    expect(tab.state).toMatchObject({ status: 'reconnecting', warning: { deadline: tab.state.idleDeadline } });
  });

  it('is not warned of for old news: the server is asked', async () => {
    await pass(server.idleTimeout - server.idleWarning - 1_000);
    server.touch(tab.state.session!.id);
    await pass(3_000);
    expect(tab.state.warning).toBeNull();
    expect(tab.state.warnAt).toBeGreaterThan(tab.vigil.now() + 60_000);
  });

  it('tells when even that fails', async () => {
    server.down = true;
    server.closeAll(1006);
    await pass(20);
    const refused = expect(tab.vigil.stayActive()).rejects.toMatchObject({ name: 'VigilError', status: 0, code: 'unavailable' });
    await pass(50);
    await refused;
  });

  it('is no nearer for old news', async () => {
    await pass(20_000);
    const { idleDeadline } = tab.state;
    const { peer } = server;
    server.latency = 2_000;
    peer.push({ type: 'pong', serverTime: server.iso(server.now()), tokenValid: true, idleDeadline: server.iso(idleDeadline! - 10_000) });
    await pass(2_100);
    expect(tab.state.idleDeadline).toBe(idleDeadline);
  });

  it('is known from heartbeats when the activity was elsewhere', async () => {
    await pass(60_000);
    const { idleDeadline, warnAt } = tab.state;
    server.touch(tab.state.session!.id);
    await pass(30_000);
    expect(tab.state.idleDeadline! - idleDeadline!).toBeGreaterThan(50_000);
    expect(tab.state.warnAt! - warnAt!).toBe(tab.state.idleDeadline! - idleDeadline!);
  });

  it('is never decided here: the server is asked', async () => {
    await untilWarning();
    const pings = sent('ping').length;
    const over = vi.spyOn(server, 'end').mockReturnValue(); // it takes its time
    await pass(server.idleWarning + 1_100);
    expect(sent('ping').length).toBeGreaterThan(pings + 4);
    expect(tab.state.status).toBe('live');
    expect(tab.onEnded).not.toHaveBeenCalled();
    over.mockRestore();
    server.end(tab.state.session!.id, 'idle_timeout');
    await pass(20);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('idle_timeout');
  });

  it('is not confused by a lifetime that no timer can hold', async () => {
    server.lifetime = server.idleTimeout = 400 * 86_400_000;
    const other = await new Tab(new Browser(server)).live();
    const pings = sent('ping').length;
    await pass(1_000);
    expect(sent('ping').length).toBe(pings);
    expect(other.state.status).toBe('live');
  });
});
