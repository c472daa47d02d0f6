import { ana, en, expect, expectEnded, sessionsOf, signIn, test } from '../support/test.ts';
import type { Page } from '@playwright/test';

test.use({ settings: { REAUTH_MAX_AGE: '5s' } });

/** Confirms a change with the password, once the sign-in is too old for it. */
async function confirm(page: Page, password: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: en.reauth.title });
  await dialog.getByLabel(en.signIn.password, { exact: true }).fill(password);
  await dialog.getByRole('button', { name: en.reauth.submit }).click();
}

/** Waits until a sign-in of now is older than the window. */
const aged = (now = Date.now()) => expect.poll(() => Date.now() - now, { intervals: [100] }).toBeGreaterThan(6000);

test('e-mail and password change after a confirmation, and the other sessions end', async ({ page, newContext }) => {
  const elsewhere = await (await newContext()).newPage();
  await signIn(elsewhere);
  await signIn(page);
  await page.goto('/security');
  await aged();

  await page.getByRole('button', { name: en.security.changePassword }).click();
  await page.getByLabel(en.security.newPassword, { exact: true }).fill('another-password');
  await page.getByLabel(en.security.repeatPassword).fill('another-password');
  await page.getByRole('button', { name: en.security.save }).click();
  await confirm(page, ana.password);
  await expect(page.getByText(en.security.passwordChanged)).toBeVisible();
  await expectEnded(elsewhere, 'credentials_changed');

  await aged();
  await page.getByRole('button', { name: en.security.changeEmail }).click();
  await page.getByLabel(en.security.newEmail).fill('ana@example.org');
  await page.getByRole('button', { name: en.security.save }).click();
  await confirm(page, 'another-password');
  await expect(page.getByText(en.security.emailChanged)).toBeVisible();

  await page.goto('/'); // still signed in, by a session that has taken the place of the first
  await expect(sessionsOf(page)).toHaveCount(1);
  await signIn(elsewhere, { ...ana, email: 'ana@example.org', password: 'another-password' });
  await expect(sessionsOf(page)).toHaveCount(2);
});
