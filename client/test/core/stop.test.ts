import { describe, expect, it, vi } from 'vitest';

import { pass, Tab } from './browser.js';
import { sessionId } from './server.js';
import { browser, registrations, server, setUp, tab } from './setup.js';

setUp(() => new Tab(browser, { cookie: {} }));

/** Nothing is open, and nothing will come. */
async function nothingIsLeft(): Promise<void> {
  await pass(server.idleTimeout);
  expect(tab.state).toMatchObject({ status: 'idle', session: null, warnAt: null, idleDeadline: null, warning: null });
  expect(server.live).toHaveLength(0);
  expect(browser.cookies.size).toBe(0);
  expect(browser.channels.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
}

describe('a stop by a listener', () => {
  const stopWhen = (met: () => unknown) => void tab.vigil.subscribe(() => met() && tab.vigil.stop());

  it('that hears of the connection being lost', async () => {
    await tab.live();
    stopWhen(() => tab.state.status === 'reconnecting');
    server.closeAll(4000);
    await nothingIsLeft();
  });

  it('that hears of the session being live', async () => {
    stopWhen(() => tab.state.status === 'live');
    tab.vigil.start();
    await nothingIsLeft();
  });

  it.each(['ready', 'pong'])("that hears of the server's time: %s", async (type) => {
    server.skew = 60_000;
    if (type === 'pong') {
      server.skew = 0;
      await tab.live();
      server.skew = 60_000;
    }
    stopWhen(() => tab.state.offset > 50_000);
    tab.vigil.start();
    await nothingIsLeft();
  });

  it('that hears of another user', async () => {
    await tab.live();
    stopWhen(() => tab.state.status === 'connecting');
    browser.signIn = { sub: 'ben', auth_time: 1 };
    tab.vigil.start();
    await nothingIsLeft();
    expect(registrations()).toHaveLength(1);
  });

  it('that hears of an alert', async () => {
    server.alerts = [{ type: 'new_device' }];
    tab.vigil.on('alert', () => tab.vigil.stop());
    tab.vigil.start();
    await nothingIsLeft();
  });
});

describe('after a stop', () => {
  const alert = vi.fn();
  /** Starts, and stops while the registration is under way. */
  const stopInBetween = async () => {
    alert.mockReset();
    tab.vigil.on('alert', alert);
    server.alerts = [{ type: 'new_country', country: 'MX' }];
    server.latency = 1_000;
    tab.vigil.start();
    while (!server.requests.length) await pass(10);
    tab.vigil.stop();
  };

  it('the answer to a registration tells nobody of its alerts', async () => {
    await stopInBetween();
    expect(registrations()[0]!.init.signal!.aborted).toBe(true);
    await nothingIsLeft();
    expect(alert).not.toHaveBeenCalled();
  });

  it('nor the next user, whose session takes the place of none', async () => {
    await stopInBetween();
    browser.signIn = { sub: 'ben', auth_time: 1 };
    tab.vigil.start();
    await pass(20_000);
    expect(tab.state).toMatchObject({ status: 'live', session: { id: sessionId(browser.signIn) } });
    expect(alert).not.toHaveBeenCalled();
    expect(registrations().at(-1)!.body).not.toHaveProperty('replaces');
  });

  it('the next user does not wait for a registration that hangs, and cannot be given up', async () => {
    const tab = new Tab(browser, { cookie: {}, platform: { fetch: (input, init) => server.fetch(input, { ...init, signal: null }) } });
    tab.vigil.start();
    await pass(25);
    server.silent = true; // before the registration is sent
    await pass(1_000);
    expect(tab.state.status).toBe('connecting');
    expect(server.requests).toHaveLength(0);
    tab.vigil.stop();
    server.silent = false;
    browser.signIn = { sub: 'ben', auth_time: 1 };
    await tab.live();
  });

  it('nobody wishes to stay any more', async () => {
    await tab.live();
    server.down = true;
    server.closeAll(1006);
    await pass(20);
    tab.vigil.stayActive().catch(() => undefined);
    await pass(100);
    tab.vigil.stop();
    server.down = false;
    await tab.live();
    expect(server.peer.frames.map(({ type }) => type)).toEqual(['auth']);
  });

  it('an answer to a wish to stay brings nothing back', async () => {
    await tab.live();
    server.closeAll(4000);
    await pass(12);
    void tab.vigil.stayActive();
    tab.vigil.stop();
    await nothingIsLeft();
  });

  it('nothing is listened to', async () => {
    const targets = [tab.window, tab.document];
    const added = targets.map((target) => vi.spyOn(target, 'addEventListener'));
    const removed = targets.map((target) => vi.spyOn(target, 'removeEventListener'));
    await tab.live();
    tab.vigil.stop();
    added.forEach(({ mock }, n) => {
      expect(mock.calls.length).toBeGreaterThan(2);
      expect(removed[n]!.mock.calls).toEqual(mock.calls);
    });
  });
});
