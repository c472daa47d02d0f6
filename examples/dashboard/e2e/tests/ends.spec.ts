import { admin, ana, en, expect, expectEnded, fillIn, sessionsOf, signIn, submit, test } from '../support/test.ts';
import { places, visit, visitors } from '../support/visitors.ts';
import type { Page } from '@playwright/test';

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: en.nav.account }).click();
  await page.getByRole('menuitem', { name: en.nav.logout, exact: true }).click();
}

test('a sign-in leads to where somebody was going, if that is here', async ({ page }) => {
  await page.goto('/security?from=mail');
  await expect(page).toHaveURL('/sign-in?next=%2Fsecurity%3Ffrom%3Dmail');
  await fillIn(page, ana);
  await expect(page).toHaveURL('/security?from=mail');
  for (const next of ['//example.com', '/\\example.com', '/\t/example.com', '/.//example.com', 'https://example.com', 'javascript:alert(1)', '/sign-in']) {
    await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    await expect(page, next).toHaveURL('/');
  }
});

test.describe('what is open or told', () => {
  test.use({ settings: { ...places, SUSPICIOUS_SESSIONS: '2', SUSPICIOUS_DEVICE_TYPES: '1' } });

  test('ends with the session, and alerts leave room for more', async ({ page, site }) => {
    const [phone, , carlas, office] = visitors(ana);
    await visit({ site }, phone!);
    await visit({ site }, office!);
    await signIn(page);
    const toasts = page.getByRole('alert').filter({ has: page.getByRole('button', { name: en.close }) });
    const elsewhere = await visit({ site }, { ...carlas!, account: ana });
    await visit({ site }, { ...phone!, country: 'JP' });
    await expect(sessionsOf(page)).toHaveCount(5);
    await expect(toasts.filter({ hasText: en.toasts.alert })).toHaveCount(4); // one for each kind
    await page.getByTestId('other-sessions').getByRole('button').first().press('Enter');
    await expect(toasts.filter({ hasText: en.sessions.endedOne })).toBeVisible();

    await page.getByRole('button', { name: en.sessions.endOthers }).press('Enter'); // the toasts may lie over it
    await expect(page.getByRole('dialog', { name: en.sessions.endOthersTitle })).toBeVisible();
    await elsewhere.endOthers();
    await expectEnded(page, 'revoked');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await expect(toasts).toHaveCount(0);
  });
});

test('nobody has to wait for the service to log out', async ({ page, context, service }) => {
  await signIn(page);
  await service.stop();
  await logOut(page);
  await expectEnded(page, 'logout_unheard');
  expect((await context.cookies()).filter(({ name }) => name === 'vigil_token')).toEqual([]);
});

test('an end is told without storage, and not for ever', async ({ page, newContext }) => {
  await page.addInitScript(() => {
    for (const name of ['getItem', 'setItem', 'removeItem'] as const) {
      const original = Storage.prototype[name];
      Storage.prototype[name] = function (this: Storage, key: string, ...rest: string[]) {
        if (key.startsWith('vigil-dashboard')) throw new DOMException('refused', 'SecurityError');
        return (original as (...all: string[]) => never).call(this, key, ...rest);
      };
    }
  });
  await signIn(page);
  await logOut(page);
  await expectEnded(page, 'logout');

  const other = await (await newContext()).newPage();
  await signIn(other, admin);
  await logOut(other);
  await expectEnded(other, 'logout');
  await other.reload();
  await expectEnded(other, 'logout');
  await other.evaluate((age) => {
    const [key, value] = Object.entries(localStorage).find(([, value]) => String(value).startsWith('logout ')) as [string, string];
    localStorage.setItem(key, value.replace(/\d+/, (at) => String(Number(at) - age)));
  }, 6 * 60_000);
  await other.reload();
  await expect(other.getByRole('button', { name: en.signIn.submit, exact: true })).toBeVisible();
  await expect(other.getByTestId('ended-banner')).toBeHidden();
});

test.describe('a limit that refuses', () => {
  test.use({ settings: { MAX_SESSIONS: '2', SESSION_LIMIT_POLICY: 'reject' } });

  test('is told on a page of its own, with ways on', async ({ page, site }) => {
    const [phone, , , office] = visitors(ana);
    await visit({ site }, phone!);
    const elsewhere = await visit({ site }, office!);
    const refused = page.getByTestId('no-session');
    await page.goto('/sign-in');
    await submit(page, ana);
    await expect(refused).toContainText(en.errors['session_limit'] ?? '');
    await expect(page).toHaveTitle(`${en.noSession.title} · ${en.brand}`);
    await refused.getByRole('button', { name: en.nav.logout, exact: true }).click();
    await expectEnded(page, 'logout');

    await submit(page, ana);
    await expect(refused).toBeVisible();
    await elsewhere.endOthers();
    await refused.getByRole('button', { name: en.retry }).click();
    await expect(sessionsOf(page)).toHaveCount(2);
  });
});
