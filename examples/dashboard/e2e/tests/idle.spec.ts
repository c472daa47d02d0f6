import type { BrowserContext, Page } from '@playwright/test';
import { en, expect, expectEnded, sessionsOf, signIn, test } from '../support/test.ts';

const warning = (tab: Page) => tab.getByRole('alertdialog', { name: en.idle.title });

/** Three tabs of one session. */
async function openTabs(page: Page, context: BrowserContext): Promise<[Page, Page, Page]> {
  await signIn(page);
  const [second, third] = [await context.newPage(), await context.newPage()];
  for (const tab of [second, third]) {
    await tab.goto('/');
    await expect(sessionsOf(tab)).toHaveCount(1);
  }
  return [page, second, third];
}

test.describe('a warning', () => {
  test.use({ settings: { IDLE_TIMEOUT: '45s', IDLE_WARNING: '42s' } });

  test('is in all tabs, and one click or key in any of them extends', async ({ page, context }) => {
    const tabs = await openTabs(page, context);
    for (const tab of tabs) await expect(warning(tab)).toBeVisible();
    await expect(page.getByRole('button', { name: en.idle.stay })).toBeFocused();
    await tabs[1].getByRole('button', { name: en.idle.stay }).click();
    for (const tab of tabs) await expect(warning(tab)).toBeHidden();

    for (const tab of tabs) await expect(warning(tab)).toBeVisible();
    await tabs[2].keyboard.press('Shift');
    for (const tab of tabs) await expect(warning(tab)).toBeHidden();
  });
});

test.describe('a warning over what somebody has begun', () => {
  test.use({ settings: { IDLE_TIMEOUT: '60s', IDLE_WARNING: '45s' } });

  test('is answered by Escape, which leaves what is below', async ({ page }) => {
    await signIn(page);
    await page.goto('/security');
    await page.getByRole('button', { name: en.security.changeEmail }).click();
    const email = page.getByLabel(en.security.newEmail);
    await email.fill('ana@example.org');
    await expect(warning(page)).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(warning(page)).toBeHidden();
    await expect(email).toHaveValue('ana@example.org');
    await expect(email).toBeFocused();
  });
});

test.describe('without an answer', () => {
  test.use({ settings: { IDLE_TIMEOUT: '15s', IDLE_WARNING: '12s' } });

  test('every tab is signed out and says why', async ({ page, context }) => {
    const tabs = await openTabs(page, context);
    for (const tab of tabs) await expect(warning(tab)).toBeVisible();
    for (const tab of tabs) await expectEnded(tab, 'idle_timeout');
  });
});
