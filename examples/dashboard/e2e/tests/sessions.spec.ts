import { admin, ana, en, expect, expectEnded, measured, ownSession, sessionsOf, signIn, test } from '../support/test.ts';

test('a sign-in leads to the list, which is live', async ({ page, newContext }) => {
  await signIn(page);
  await expect(page).toHaveURL('/');
  await expect(sessionsOf(page)).toHaveCount(1);
  await expect(ownSession(page)).toHaveCount(1);

  const elsewhere = await (await newContext()).newPage();
  await signIn(elsewhere);
  await expect(sessionsOf(elsewhere)).toHaveCount(2);
  await expect(sessionsOf(page)).toHaveCount(2);
  await expect(page.getByText(en.toasts.started, { exact: true })).toBeVisible();
});

test('a session that is ended in another browser is over there', async ({ page, newContext }) => {
  await signIn(page);
  const elsewhere = await (await newContext()).newPage();
  await signIn(elsewhere);
  await expect(sessionsOf(page)).toHaveCount(2);

  await page.getByTestId('other-sessions').getByRole('button').click();
  await measured('ended in another browser', () => expectEnded(elsewhere, 'revoked'));
  await expect(sessionsOf(page)).toHaveCount(1);

  await signIn(elsewhere); // a new sign-in is a new session
  await expect(sessionsOf(page)).toHaveCount(2);
});

test('all other sessions end at once', async ({ page, newContext }) => {
  const others = [await (await newContext()).newPage(), await (await newContext()).newPage()];
  for (const other of others) await signIn(other);
  await signIn(page);
  await expect(sessionsOf(page)).toHaveCount(3);
  await page.getByRole('button', { name: en.sessions.endOthers }).click();
  await page.getByRole('dialog').getByRole('button', { name: en.sessions.endOthersConfirm }).click();
  for (const other of others) await expectEnded(other, 'revoked');
  await expect(sessionsOf(page)).toHaveCount(1);
});

test('an admin revokes a user, who is thrown out of every browser', async ({ page, newContext }) => {
  const theirs = [await (await newContext()).newPage(), await (await newContext()).newPage()];
  for (const one of theirs) await signIn(one);
  await signIn(page, admin);
  await page.goto(`/admin/users/${ana.uid}`);
  await page.getByRole('button', { name: en.userPage.revoke }).click();
  await page.getByRole('dialog').getByRole('button', { name: en.userPage.revoke }).click();
  await measured('revoked in two browsers', () => Promise.all(theirs.map((one) => expectEnded(one, 'admin_revoked'))));
  await expect(page.getByText(en.userPage.revoked(2))).toBeVisible();
  await expect(page.getByText(en.userPage.noActive)).toBeVisible();
});

test('signing out ends the session in every tab', async ({ page, context }) => {
  await signIn(page);
  const tab = await context.newPage();
  await tab.goto('/');
  await expect(sessionsOf(tab)).toHaveCount(1);
  await page.getByRole('button', { name: en.nav.account }).click();
  await page.getByRole('menuitem', { name: en.nav.logout, exact: true }).click();
  await expectEnded(page, 'logout');
  await expectEnded(tab, 'logout');
});
