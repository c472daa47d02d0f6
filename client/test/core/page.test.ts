import { describe, expect, it } from 'vitest';

import { Browser, pass, sleep, Tab } from './browser.js';
import { server, setUp, tab } from './setup.js';

setUp();

describe('sleep, networks and the life of a page', () => {
  it('finds after sleep what has become of the session', async () => {
    sleep(2 * 3600_000);
    server.end(tab.state.session!.id, 'idle_timeout');
    server.peers.forEach((peer) => (peer.onmessage = peer.onclose = null)); // nothing of it has arrived
    await pass(37_000);
    expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith('idle_timeout');
  });

  it.each([
    ['a person', () => tab.act()],
    ['coming into view', () => tab.show('visible')],
    ['resuming', () => tab.document.dispatchEvent(new Event('resume'))],
    ['a network', () => tab.online(true)],
  ])('checks a socket that has died in its sleep at once: %s', async (_, stir) => {
    server.silent = true;
    sleep(600_000);
    stir();
    const dead = server.peer;
    expect(dead.frames.at(-1)!.type === 'ping' || dead.frames.at(-2)!.type === 'ping').toBe(true);
    await pass(5_000);
    expect(tab.state.status).toBe('reconnecting');
    server.silent = false;
    await pass(20_000);
    expect(tab.state.status).toBe('live');
  });

  it('does not take a live one for dead', async () => {
    sleep(600_000);
    tab.show('visible');
    await pass(20_000);
    expect(server.peers).toHaveLength(2);
  });

  it('tries at once when a page comes into view', async () => {
    server.random = () => 0.999;
    server.down = true;
    server.closeAll(1006);
    await pass(40_000);
    server.down = false;
    tab.show('hidden');
    await pass(100);
    expect(tab.state.status).toBe('reconnecting');
    tab.show('visible');
    await pass(100);
    expect(tab.state.status).toBe('live');
  });

  it('tries less often off line, from the first time, and comes back on line', async () => {
    server.random = () => 0.999;
    server.silent = true;
    tab.online(false);
    await pass(5_100);
    expect(tab.state).toMatchObject({ status: 'reconnecting' });
    server.silent = false;
    server.down = true;
    const before = server.peers.length;
    await pass(29_000);
    expect(server.peers.length).toBe(before);
    await pass(570_000);
    expect(server.peers.length).toBeGreaterThan(before + 15);
    expect(server.peers.length).toBeLessThan(before + 21);
    server.down = false;
    tab.online(true);
    await pass(1_000);
    expect(tab.state).toMatchObject({ status: 'live', error: null });
  });

  it('does not believe a browser that says it is off line', async () => {
    const other = new Tab(new Browser(server));
    other.navigator.onLine = false;
    await other.live();
    other.online(false);
    await pass(10_000);
    expect(other.state.status).toBe('live');
    server.closeAll(1006);
    await pass(31_000);
    expect(other.state.status).toBe('live');
  });

  it('leaves no socket open in a page that is put away, and opens one when it comes back', async () => {
    tab.window.dispatchEvent(new Event('pagehide'));
    expect(server.peer.closedWith).toBe(1000);
    await pass(100);
    expect(server.live).toHaveLength(0);
    sleep(60_000);
    tab.window.dispatchEvent(new Event('pageshow'));
    await pass(100);
    expect(tab.state.status).toBe('live');
    expect(server.live).toHaveLength(1);
    expect(tab.onEnded).not.toHaveBeenCalled();
    await pass(31_000); // the connection was not lost
    expect(server.peer.frames.at(-1)).toMatchObject({ type: 'ping' });
    expect(server.peer.frames.at(-1)).not.toHaveProperty('reconnectedAfterMs');
  });
});
