import type { Page, WebSocket } from '@playwright/test';
import { ana, connected, en, expect, fillIn, measured, sessionsOf, signIn, test } from '../support/test.ts';
import { withHiddenTabs } from '../support/browser.ts';

const expectLive = (page: Page) => expect(connected(page)).toHaveAttribute('data-state', 'live');

/** The sockets that a page opens from now on, and the types and tokens that it sends. */
function sockets(page: Page) {
  const seen = { opened: 0, closed: 0, tokens: new Set<string>(), sent: [] as string[], received: [] as string[] };
  page.on('websocket', (socket: WebSocket) => {
    if (!socket.url().endsWith('/v1/ws')) return;
    seen.opened++;
    socket.on('close', () => seen.closed++);
    socket.on('framesent', ({ payload }) => {
      const frame = JSON.parse(String(payload)) as { type: string; token?: string };
      seen.sent.push(frame.type);
      if (frame.token) seen.tokens.add(frame.token);
    });
    socket.on('framereceived', ({ payload }) => seen.received.push((JSON.parse(String(payload)) as { type: string }).type));
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
    const seen = sockets(page);
    await signIn(page);
    await expect.poll(() => seen.tokens.size, { message: 'tokens that the page has sent' }).toBeGreaterThan(3);
    expect(seen).toMatchObject({ opened: 1, closed: 0 });
    await expectLive(page);
    await expect(sessionsOf(page)).toHaveCount(1);
  });
});

test.describe('a service that pings every second', () => {
  test.use({ settings: { WS_HEARTBEAT_INTERVAL: '1s', WS_DISCONNECT_TIMEOUT: '4s' } });

  // In proportion as three minutes are to the minute after which a silent socket is closed by default, and more.
  test('keeps a hidden tab whose timers hardly run', async ({ site, service }) => {
    await withHiddenTabs(async (context) => {
      const page = await context.newPage();
      const seen = sockets(page);
      await page.goto(site.url);
      await fillIn(page, ana);
      await page.evaluate(() => {
        const hidden = { since: 0, ticks: [] as number[] };
        Object.assign(window, { hidden });
        document.addEventListener('visibilitychange', () => (hidden.since ||= Date.now()));
        setInterval(() => hidden.since && hidden.ticks.push(Date.now() - hidden.since), 100);
      });

      const front = await context.newPage();
      await front.goto('about:blank');
      await front.bringToFront();
      const hidden = () => page.evaluate(() => {
        const { since, ticks } = (window as unknown as { hidden: { since: number; ticks: number[] } }).hidden;
        return { state: document.visibilityState, ms: since && Date.now() - since, ticks };
      });
      await expect.poll(async () => (await hidden()).ms, { timeout: 40_000, intervals: [500] }).toBeGreaterThan(25_000);
      const { state, ticks } = await hidden();
      expect(state).toBe('hidden');
      expect(ticks.filter((ms) => ms > 10_000), 'the browser held the timers back').toHaveLength(0);
      expect(seen).toMatchObject({ opened: 1, closed: 0 });
      expect(service.output).not.toContain('4004');

      await page.bringToFront();
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
    const seen = tabs.map(sockets);

    await service.restart();
    await measured('twenty tabs after a restart', () => Promise.all(seen.map((tab) =>
      expect.poll(() => tab.received.includes('ready'), { timeout: 30_000 }).toBe(true))));
    for (const tab of tabs) await expectLive(tab);
    // The service had forgotten everything: they have registered their sign-in again, once.
    await expect(sessionsOf(page)).toHaveCount(1);
  });
});
