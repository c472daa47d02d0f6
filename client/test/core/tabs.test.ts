import { describe, expect, it } from 'vitest';

import { pass, sleep, Tab } from './browser.js';
import { browser, server, setUp, tab } from './setup.js';

setUp(() => new Tab(browser).withFirebase().live());

const another = () => new Tab(browser).withFirebase().live();
const ends = (tabs: Tab[]) => tabs.map(({ state, onEnded }) => [state.status, state.ended, onEnded.mock.calls]);

describe('the reason is known in every tab, though the first one has signed out of Firebase', () => {
  const everywhere = (reason: string) => Array(2).fill(['ended', reason, [[reason]]]);

  it('when one has just lost its socket', async () => {
    const other = await another();
    server.random = () => 0.999; // the socket does not come back at once, and signing out takes as long as it can
    server.peer.hangUp(1006);
    await pass(30);
    expect(other.state.status).toBe('reconnecting');
    server.end(tab.state.session!.id, 'idle_timeout');
    await pass(3_000);
    expect(ends([tab, other])).toEqual(everywhere('idle_timeout'));
  });

  it('when one has just come into view', async () => {
    const other = await another();
    other.show('hidden');
    other.show('visible');
    server.end(tab.state.session!.id, 'admin_revoked');
    await pass(3_000);
    expect(ends([tab, other])).toEqual(everywhere('admin_revoked'));
  });

  it('and is not one that a new sign-in has got over', async () => {
    await pass(1_000);
    server.end(tab.state.session!.id, 'tokens_revoked');
    await pass(100);
    browser.reauthenticate();
    await pass(2_000);
    const other = await another();
    tab.show('visible');
    server.end(tab.state.session!.id, 'admin_revoked');
    await pass(3_000);
    expect(ends([tab, other])).toEqual(everywhere('admin_revoked'));
  });

  it('when one is hidden and might have waited for a new sign-in', async () => {
    const other = await another();
    other.show('hidden');
    server.end(tab.state.session!.id, 'tokens_revoked');
    await pass(60_000);
    expect(ends([tab, other])).toEqual(everywhere('tokens_revoked'));
  });

  it.each([1, 2, 3, 4, 5])('when all wake after the deadline (%d)', async (seed) => {
    for (let n = 0; n < 7 * seed; n++) server.random();
    const tabs = [tab, await another(), await another()];
    await pass(20_000);
    for (const peer of server.live) peer.close(); // without a word, in both directions
    sleep(server.idleTimeout);
    await pass(60_000);
    expect(tabs.map(({ state }) => state.ended)).toEqual(Array(3).fill('idle_timeout'));
  });

  it('without a word from any of them: nobody is signed in any more', async () => {
    tab.show('hidden');
    server.end(tab.state.session!.id, 'tokens_revoked');
    browser.signIn = null;
    await pass(2_000);
    expect(ends([tab])).toEqual([['ended', 'tokens_revoked', [['tokens_revoked']]]]);
  });
});

it('a token that cannot be had says nothing about who is signed in', async () => {
  tab.show('hidden');
  tab.getToken.mockRejectedValue(new Error('auth/network-request-failed'));
  server.end(tab.state.session!.id, 'tokens_revoked');
  await pass(60_000);
  expect(tab.state.status).toBe('reconnecting');
  expect(tab.onEnded).not.toHaveBeenCalled();
});

it('a stop without any word of an end is none', async () => {
  const other = await another();
  browser.signOut(other);
  await pass(1_000);
  expect(ends([tab, other])).toEqual(Array(2).fill(['idle', null, []]));
});

describe('more tabs than a session may have sockets', () => {
  it('do not push each other out without end', async () => {
    for (let n = 0; n < server.socketsPerSession; n++) {
      await another();
      await pass(500);
    }
    const before = server.peers.length;
    await pass(300_000);
    expect(server.live).toHaveLength(server.socketsPerSession);
    expect(server.peers.length - before).toBeLessThan(60);
  });

  it.each([0, 60_000])('who was pushed out after %d ms does not come back at once', async (lasted) => {
    server.random = () => 0.999;
    await pass(lasted);
    const before = server.peers.length;
    server.closeAll(4005);
    await pass(29_000);
    expect(server.peers.length).toBe(before);
    await pass(2_000);
    expect(tab.state.status).toBe('live');
  });
});
