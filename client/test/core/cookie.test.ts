import { describe, expect, it } from 'vitest';

import { Browser, pass, Tab } from './browser.js';
import { tokenOf } from './server.js';
import { browser, server, setUp, tab } from './setup.js';

setUp(() => new Tab(browser, { cookie: {} }).live());

describe('the mirrored cookie', () => {
  it('is the token, for as long as it lasts', async () => {
    expect(browser.cookies.get('vigil_token')).toBe(server.peer.token);
    const attributes = browser.attributes.get('vigil_token')!;
    expect(attributes).toEqual(['Path=/', expect.stringMatching(/^Max-Age=35\d\d$/), 'Secure', 'SameSite=Lax']);
    await browser.getToken(true);
    await pass(31_000);
    expect(browser.cookies.get('vigil_token')).toBe(await browser.getToken(false));
    tab.vigil.stop();
    expect(browser.cookies.size).toBe(0);
  });

  it('is cleared by a stop, also of one that an earlier page has left', async () => {
    const other = new Browser(server);
    other.cookies.set('vigil_token', 'old');
    new Tab(other, { cookie: {} }).vigil.stop();
    expect(other.cookies.size).toBe(0);
  });

  it("lasts by the server's clock", async () => {
    server.skew = -600_000;
    const other = new Browser(server);
    await new Tab(other, { cookie: {} }).live();
    expect(other.attributes.get('vigil_token')).toContainEqual(expect.stringMatching(/^Max-Age=3(59\d|600)$/));
  });

  it('is cleared by a token that has expired', async () => {
    const other = new Browser(server);
    other.cookies.set('vigil_token', 'old');
    const expired = new Tab(other, { cookie: {}, getToken: () => tokenOf(other.signIn!, server.now() / 1000 - 60) });
    expired.vigil.start();
    await pass(5);
    expect(other.attributes.get('vigil_token')).toContain('Max-Age=0');
    expect(other.cookies.size).toBe(0);
  });

  it('is named, placed and asked for', async () => {
    const other = new Browser(server);
    const options = { name: '__session', path: '/app', domain: 'example.com' };
    await new Tab(other, { cookie: options }).live();
    expect(other.attributes.get('__session')!.slice(0, 2)).toEqual(['Path=/app', 'Domain=example.com']);
    const none = new Browser(server);
    await new Tab(none).live();
    expect(none.cookies.size).toBe(0);
  });

  it('lasts as long as the browser for a token that says nothing', async () => {
    const other = new Browser(server);
    const opaque = new Tab(other, { cookie: {}, getToken: () => 'opaque' });
    opaque.vigil.start();
    await pass(5);
    expect(other.cookies.get('vigil_token')).toBe('opaque');
    expect(other.attributes.get('vigil_token')).toEqual(['Path=/', 'Secure', 'SameSite=Lax']);
  });
});
