import type { Page, WebSocket } from '@playwright/test';
import { ana, connected, en, expect, fillIn, measured, sessionsOf, signIn, test } from '../support/test.ts';
import { withHiddenTabs } from '../support/browser.ts';

const expectLive = (page: Page) => expect(connected(page)).toHaveAttribute('data-state', 'live');

/** What a page's sockets do from now on. A first sign-in opens two: the answer to one is that it has to register. */
function watchSockets(page: Page) {
  const seen = { opened: 0, closed: 0, ready: 0, tokens: new Set<string>() };
  page.on('websocket', (socket: WebSocket) => {
    if (!socket.url().endsWith('/v1/ws')) return;
    seen.opened++;
    socket.on('close', () => seen.closed++);
    socket.on('framesent', ({ payload }) => {
      const { token } = JSON.parse(String(payload)) as { token?: string };
      if (token) seen.tokens.add(token);
    });
    socket.on('framereceived', ({ payload }) => {
      if ((JSON.parse(String(payload)) as { type: string }).type === 'ready') seen.ready++;
    });
  });
  return seen;
}

test('offline and back', async ({ page, context }) => {
  await signIn(page);
  await context.setOffline(true);
  await expect(connected(page)).toHaveAttribute('data-state', 'offline');
  await expect(page.getByText(en.connection.offlineText)).toBeVisible();
  await expect(sessionsOf(page)).toHaveCount(1); // nobody is signed out
  await context.setOffline(false);
  await measured('back on line', () => expectLive(page));
  await expect(sessionsOf(page)).toHaveCount(1);
});

test.describe('tokens that expire within seconds', () => {
  test.use({ settings: { WS_MAX_TOKEN_AGE: '4s', WS_HEARTBEAT_INTERVAL: '1s', WS_DISCONNECT_TIMEOUT: '10s', WS_REAUTH_GRACE: '5s' } });

  test('are renewed under way', async ({ page }) => {
    const seen = watchSockets(page);
    await signIn(page);
    const { opened, closed } = seen;
    await expect.poll(() => seen.tokens.size, { message: 'tokens that the page has sent' }).toBeGreaterThan(3);
    expect(seen).toMatchObject({ opened, closed });
    await expectLive(page);
    await expect(sessionsOf(page)).toHaveCount(1);
  });
});

test.describe('a service that pings every second', () => {
  test.use({ settings: { WS_HEARTBEAT_INTERVAL: '1s', WS_DISCONNECT_TIMEOUT: '4s' } });

  // Three times the silence after which a socket is closed, as three minutes are by default. Harder than what browsers do to the timers
  // of hidden tabs: none runs at all.
  test('keeps a hidden tab that the browser has frozen', async ({ site }) => {
    await withHiddenTabs(async (context) => {
      const page = await context.newPage();
      const seen = watchSockets(page);
      await page.goto(site.url);
      await fillIn(page, ana);
      await page.evaluate(() => {
        Object.assign(window, { ticks: 0 });
        setInterval(() => (window as unknown as { ticks: number }).ticks++, 100);
      });
      const front = await context.newPage();
      await front.bringToFront();
      expect(await page.evaluate(() => document.visibilityState)).toBe('hidden');
      const lifecycle = await context.newCDPSession(page);
      await lifecycle.send('Page.setWebLifecycleState', { state: 'frozen' });

      const ticks = () => page.evaluate(() => (window as unknown as { ticks: number }).ticks);
      const [frozen, start, { opened, closed }] = [await ticks(), Date.now(), seen];
      await expect.poll(() => Date.now() - start, { timeout: 20_000, intervals: [500] }).toBeGreaterThan(12_000);
      expect(await ticks()).toBe(frozen);
      await lifecycle.send('Page.setWebLifecycleState', { state: 'active' });
      await page.bringToFront();
      await expect.poll(ticks).toBeGreaterThan(frozen);
      expect(seen).toMatchObject({ opened, closed });
      await expectLive(page);
      await expect(sessionsOf(page)).toHaveCount(1);
    });
  });
});

test.describe('a restart', () => {
  test.use({ inParts: true });

  test('brings twenty tabs back, and signs nobody out', async ({ page, context, service }) => {
    await signIn(page);
    const tabs = [page];
    while (tabs.length < 20) {
      const tab = await context.newPage();
      await tab.goto('/');
      tabs.push(tab);
    }
    for (const tab of tabs) await expectLive(tab);
    const seen = tabs.map(watchSockets);

    await service.restart();
    await measured('twenty tabs after a restart', () => Promise.all(seen.map((tab) =>
      expect.poll(() => tab.ready, { timeout: 30_000 }).toBeGreaterThan(0))));
    for (const tab of tabs) await expectLive(tab);
    // The service had forgotten everything: they have registered their sign-in again, once.
    await expect(sessionsOf(page)).toHaveCount(1);
  });
});
