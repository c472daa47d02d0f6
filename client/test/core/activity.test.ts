import { describe, expect, it, vi } from 'vitest';

import { pass, sleep } from './browser.js';
import { sent, server, setUp, tab } from './setup.js';

setUp();

describe('activity', () => {
  it.each(['mousedown', 'keydown', 'touchstart', 'wheel'])('is %s', async (type) => {
    tab.act(type);
    expect(sent('activity')).toHaveLength(1);
  });

  it('is told at most once in fifteen seconds', async () => {
    for (let n = 0; n < 60; n++) {
      tab.act();
      await pass(1_000);
    }
    expect(sent('activity')).toHaveLength(4);
  });

  it('is told at once after a warning', async () => {
    tab.act();
    await pass(1_000);
    server.warn(tab.state.session!.id);
    await pass(20);
    tab.act();
    expect(sent('activity')).toHaveLength(2);
  });

  it('is coming into view, and nothing in a hidden page', async () => {
    tab.show('hidden');
    tab.act('wheel');
    expect(sent('activity')).toHaveLength(0);
    tab.show('visible');
    expect(sent('activity')).toHaveLength(1);
  });

  it('is no pointer that rests while the page moves', async () => {
    const move = (screenX: number) => tab.act('mousemove', { screenX, screenY: 1 });
    move(1);
    move(1);
    expect(sent('activity')).toHaveLength(0);
    move(2);
    expect(sent('activity')).toHaveLength(1);
    await pass(20_000);
    move(2);
    expect(sent('activity')).toHaveLength(1);
    move(3);
    expect(sent('activity')).toHaveLength(2);
  });

  it('is no scrolling by itself, only what an input brings about', async () => {
    tab.act('scroll');
    expect(sent('activity')).toHaveLength(0);
    tab.show('hidden');
    tab.act('wheel');
    tab.document.visibilityState = 'visible';
    await pass(900);
    tab.act('scroll');
    expect(sent('activity')).toHaveLength(1);
    await pass(20_000);
    tab.act('scroll');
    expect(sent('activity')).toHaveLength(1);
  });

  it('is nothing that a script sends', () => {
    for (const type of ['keydown', 'scroll']) tab.window.dispatchEvent(new Event(type));
    tab.document.dispatchEvent(new Event('visibilitychange'));
    expect(sent('activity')).toHaveLength(0);
  });

  it('is heard while capturing and without keeping the page from scrolling', () => {
    const listen = vi.spyOn(tab.window, 'addEventListener');
    tab.vigil.stop();
    tab.vigil.start();
    expect(listen.mock.calls.find(([type]) => type === 'wheel')![2]).toEqual({ capture: true, passive: true });
  });

  it('is told again when what was told last may have been lost', async () => {
    tab.act();
    await pass(100);
    server.peer.close(); // the machine sleeps, and the socket dies without a word
    sleep(server.idleTimeout - 12_000);
    // From here on the person types.
    for (let n = 0; n < 20; n++) {
      tab.act();
      await pass(1_000);
    }
    expect(tab.state.status).toBe('live');
    expect(tab.onEnded).not.toHaveBeenCalled();
  });

  it('is told again when the token counts again', async () => {
    server.badTokens.set(server.peer.token, 'token_expired');
    await pass(29_000);
    const { lastActive } = server.sessions.get(tab.state.session!.id)!;
    tab.act();
    await pass(2_000); // the heartbeat renews it
    expect(server.sessions.get(tab.state.session!.id)!.lastActive).toBe(lastActive);
    tab.act();
    await pass(20);
    expect(server.sessions.get(tab.state.session!.id)!.lastActive).toBeGreaterThan(lastActive);
  });

  it('is not silenced by a clock that was set back', async () => {
    tab.act();
    sleep(-7200_000);
    tab.act();
    expect(sent('activity')).toHaveLength(2);
  });

  it('waits for a connection', async () => {
    server.closeAll(4000);
    await pass(20);
    tab.act();
    expect(sent('activity')).toHaveLength(0);
    await pass(1_000);
    tab.act();
    expect(sent('activity')).toHaveLength(1);
  });
});
