import { admin, ana, en, expect, expectEnded, fillIn, nextSecond, sessionsOf, signIn, test } from '../support/test.ts';
import { visit, visitors } from '../support/visitors.ts';
import type { Page } from '@playwright/test';

test.use({ settings: { REAUTH_MAX_AGE: '5s' } });

/** Confirms a change with the password, once the sign-in is too old for it. */
async function confirm(page: Page, password: string): Promise<void> {
  await passwordOf(page).fill(password);
  await question(page).getByRole('button', { name: en.reauth.submit }).click();
}

/** Waits until a sign-in of now is older than the window. */
const aged = (now = Date.now()) => expect.poll(() => Date.now() - now, { intervals: [100] }).toBeGreaterThan(6000);

const question = (page: Page) => page.getByRole('dialog', { name: en.reauth.title });
const passwordOf = (page: Page) => question(page).getByLabel(en.signIn.password, { exact: true });

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
  await expect(passwordOf(page)).toBeFocused();
  await page.keyboard.press('Escape'); // closes the question alone
  await expect(question(page)).toBeHidden();
  await expect(page.getByLabel(en.security.newPassword, { exact: true })).toHaveValue('another-password');
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

test.describe('with a sign-in that is recent enough', () => {
  test.use({ settings: {} });

  test('a change stands where the sign-in after it fails', async ({ page }) => {
    await signIn(page);
    await page.goto('/security');
    await page.route('**/accounts:signInWithPassword*', (route) => route.abort());
    await page.getByRole('button', { name: en.security.changePassword }).click();
    await page.getByLabel(en.security.newPassword, { exact: true }).fill('another-password');
    await page.getByLabel(en.security.repeatPassword).fill('another-password');
    await page.getByRole('button', { name: en.security.save }).click();
    await expectEnded(page, 'credentials_changed');
    await page.unroute('**/accounts:signInWithPassword*');
    await fillIn(page, { ...ana, password: 'another-password' });
  });

  test('a confirmation is no news to the other devices', async ({ page, site, newContext }) => {
    const elsewhere = await (await newContext()).newPage();
    await signIn(elsewhere);
    await signIn(page);
    const told = elsewhere.getByText(en.toasts.started, { exact: true });
    await expect(told).toHaveCount(1);
    await elsewhere.getByRole('button', { name: en.close }).click();
    await expect(told).toHaveCount(0);
    await page.goto('/security');
    await page.route('**/v1/account/email', (route) => route.abort()); // the change itself would end the other session
    await page.getByRole('button', { name: en.security.changeEmail }).click();
    await page.getByLabel(en.security.newEmail).fill('ana@example.org');
    const [own] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith('/v1/sessions') && response.request().method() === 'POST'),
      page.getByRole('button', { name: en.security.save }).click().then(() => confirm(page, ana.password)),
    ]);
    const { session } = (await own.json()) as { session: { id: string } };
    await expect(elsewhere.locator(`[data-session="${session.id}"]`)).toBeVisible();
    await expect(sessionsOf(elsewhere)).toHaveCount(2);

    await nextSecond();
    await visit({ site }, visitors(ana)[0]!);
    await expect(told).toHaveCount(1);
    await expect(elsewhere.getByText('Safari 18 on iOS 18')).toHaveCount(2); // the toast is of this one, as is the line in the list
  });
});

test('what waits for a password ends with the session, and is not the next person’s', async ({ page, site }) => {
  const elsewhere = await visit({ site }, visitors(ana)[0]!);
  await signIn(page);
  await page.goto('/security');
  await aged();
  const remove = async (email: string) => {
    await page.getByRole('button', { name: en.security.deleteAccount }).click();
    await page.getByLabel(en.security.deleteLabel).fill(email);
    await page.getByRole('button', { name: en.security.deleteConfirm }).click();
  };
  await remove(ana.email);
  await passwordOf(page).fill('half of it');
  await elsewhere.endOthers();
  await expectEnded(page, 'revoked');

  await fillIn(page, admin);
  await expect(page).toHaveURL('/security'); // where the session has ended
  await aged();
  await expect(page.getByRole('dialog')).toBeHidden();
  await remove(admin.email);
  await expect(passwordOf(page)).toHaveValue('');
  await confirm(page, admin.password);
  await expectEnded(page, 'user_deleted');
});
