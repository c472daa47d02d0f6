import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { Page } from '@playwright/test';
import { admin, ana, en, es, expect, sessionsOf, signIn, test } from '../support/test.ts';
import { places, visit, visitors } from '../support/visitors.ts';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screenshots = process.env['UPDATE_SCREENSHOTS'] === '1' ? fileURLToPath(new URL('../../../../docs/screenshots/', import.meta.url)) : null;

const phone = {
  isMobile: true,
  hasTouch: true,
  viewport: { width: 390, height: 844 },
  userAgent: 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Mobile Safari/537.36',
};
const desktop = { viewport: { width: 1280, height: 800 } };

const looks = [
  { name: 'en-light', words: en, locale: 'en-US', colorScheme: 'light', ...desktop },
  { name: 'es-dark', words: es, locale: 'es-MX', colorScheme: 'dark', ...desktop },
  { name: 'en-dark-phone', words: en, locale: 'en-US', colorScheme: 'dark', ...phone },
  { name: 'es-light-phone', words: es, locale: 'es-MX', colorScheme: 'light', ...phone },
] as const;

/** Holds a page to WCAG 2.2 AA, as far as a machine can, to its width, and keeps a picture of it where that is asked for. */
async function look(page: Page, name: string): Promise<void> {
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
  await page.evaluate(source);
  const { violations } = await page.evaluate(
    () => (window as unknown as { axe: { run(options: object): Promise<AxeResults> } }).axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`);
  expect.soft(found, `accessibility of ${name}`).toEqual([]);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect.soft(wider, `pixels that ${name} is too wide`).toBe(0);
  if (screenshots) await page.screenshot({ path: `${screenshots}${name}.png`, animations: 'disabled' });
}

for (const { name, words: t, ...options } of looks) {
  test.describe(name, () => {
    test.use({ ...options, settings: places });

    test('every page is accessible and fits', async ({ page, site, newContext }) => {
      await page.goto('/sign-in');
      await expect(page.getByRole('button', { name: t.signIn.submit, exact: true })).toBeVisible();
      await look(page, `sign-in-${name}`);
      for (const visitor of visitors(ana)) await visit({ site }, visitor);

      await signIn(page, ana, t);
      await expect(sessionsOf(page)).toHaveCount(3);
      await look(page, `devices-${name}`);

      await page.goto('/security');
      await expect(page.getByText(t.events['session_started'] ?? '').first()).toBeVisible();
      await look(page, `security-${name}`);
      await page.getByRole('button', { name: t.security.changePassword }).click();
      await expect(page.getByLabel(t.security.repeatPassword)).toBeVisible();
      await look(page, `password-${name}`);

      const administration = await (await newContext()).newPage();
      await signIn(administration, admin, t);
      await administration.goto('/admin');
      await expect(administration.getByText('Berlin').first()).toBeVisible();
      await look(administration, `admin-${name}`);
      await administration.getByRole('button', { name: t.admin.mass }).click();
      await administration.getByRole('button', { name: t.admin.preview }).click();
      await expect(administration.getByText(t.admin.sample)).toBeVisible();
      await look(administration, `mass-revocation-${name}`);
      await administration.keyboard.press('Escape');

      await administration.getByRole('tab', { name: t.admin.tabs.statistics }).click();
      await administration.getByRole('button', { name: t.admin.stats.sweep }).click();
      await expect(administration.getByText(t.admin.stats.byCountry)).toBeVisible();
      await administration.getByRole('button', { name: t.close }).click();
      await expect(administration.getByRole('button', { name: t.close })).toBeHidden();
      await look(administration, `statistics-${name}`);
      await administration.getByRole('tab', { name: t.admin.tabs.events }).click();
      await expect(administration.getByText(t.events['session_started'] ?? '').first()).toBeVisible();
      await look(administration, `audit-${name}`);

      await administration.goto(`/admin/users/${ana.uid}`);
      await expect(administration.getByRole('button', { name: t.userPage.revoke })).toBeVisible();
      await expect(administration.getByText('Guadalajara').first()).toBeVisible();
      await look(administration, `user-${name}`);

      await administration.getByRole('button', { name: t.userPage.revoke }).click();
      await administration.getByRole('dialog').getByRole('button', { name: t.userPage.revoke }).click();
      await expect(page.getByText(t.ended.admin_revoked[0] ?? '')).toBeVisible();
      await look(page, `signed-out-${name}`);
    });

    test.describe('before the end', () => {
      test.use({ settings: { IDLE_TIMEOUT: '90s', IDLE_WARNING: '88s', TOUCH_INTERVAL: '1s' } });

      test('the idle dialog is accessible', async ({ page }) => {
        await signIn(page, ana, t);
        await expect(page.getByRole('alertdialog')).toBeVisible();
        await look(page, `idle-${name}`);
      });
    });
  });
}
