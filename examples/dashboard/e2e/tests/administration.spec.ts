import { admin, ana, connected, en, expect, expectEnded, fillIn, nextSecond, sessionsOf, signIn, submit, test } from '../support/test.ts';
import { visit, visitors } from '../support/visitors.ts';

test('an admin ends what a search matches, and disables an account', async ({ page, site, newContext }) => {
  const [phone, ben] = visitors(ana);
  await visit({ site }, phone!);
  await visit({ site }, ben!);
  const theirs = await (await newContext()).newPage();
  await signIn(theirs);
  await signIn(page, admin);
  await page.goto('/admin');
  await expect(sessionsOf(page)).toHaveCount(4);
  await page.getByLabel(en.admin.user, { exact: true }).fill(ana.uid);
  await page.getByRole('button', { name: en.admin.search, exact: true }).click();
  await expect(sessionsOf(page)).toHaveCount(2);

  const job = page.getByTestId('revocation');
  const open = page.getByRole('button', { name: en.admin.mass });
  await open.click();
  await page.getByLabel(en.admin.reason).fill('a lost laptop');
  for (const _ of 'twice') await page.keyboard.press('Enter');
  await expect(page.getByTestId('preview')).toContainText(en.admin.matched(2));
  await expect(page.getByTestId('preview')).toBeFocused();
  await page.keyboard.press('Enter');
  await page.getByLabel(en.admin.reason).press('Enter');
  await expect(job).toBeHidden();
  await expect(connected(theirs)).toHaveAttribute('data-state', 'live');

  // It is followed while the dialog is closed, and not any more when nobody will tell.
  let asked = 0;
  let answer: 'running' | 'done' | 'gone' = 'running';
  await page.route('**/v1/admin/revocations/*', async (route) => {
    asked++;
    const response = await route.fetch();
    if (answer === 'done') return route.fulfill({ response });
    await route.fulfill({ response, ...(answer === 'gone' ? { status: 404 } : { json: { ...(await response.json()), state: 'running' } }) });
  });
  await page.getByRole('button', { name: en.admin.massConfirm(2) }).click();
  await expectEnded(theirs, 'admin_revoked');
  await expect(job).toHaveAttribute('data-state', 'running');
  await expect(page.getByRole('dialog', { name: en.admin.massTitle })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(job).toBeHidden();
  await expect(open).toBeFocused();
  await open.click();
  await expect(job).toHaveAttribute('data-state', 'running');
  await page.keyboard.press('Escape');
  answer = 'done';
  await expect(page.getByRole('alert').filter({ hasText: en.admin.doneText(2) })).toBeVisible();
  await expect(page.getByText(en.admin.empty)).toBeVisible();

  await page.getByLabel(en.admin.user, { exact: true }).fill('');
  await page.getByRole('button', { name: en.admin.search, exact: true }).click();
  await expect(sessionsOf(page)).toHaveCount(2);
  answer = 'gone';
  await open.click();
  await page.getByRole('button', { name: en.admin.preview }).click();
  await page.getByRole('button', { name: en.admin.massConfirm(1) }).click();
  await expect(job).toHaveAttribute('data-state', 'lost');
  const until = asked;

  await fillIn(theirs, ana);
  await page.goto(`/admin/users/${ana.uid}`);
  for (const action of ['disable', 'enable'] as const) {
    await page.getByRole('button', { name: en.userPage.more }).click();
    await page.getByRole('menuitem', { name: en.userPage[action] }).click();
    await page.getByRole('dialog').getByRole('button', { name: en.userPage[action] }).click();
    if (action === 'enable') break;
    await expectEnded(theirs, 'user_disabled');
    await submit(theirs, ana);
    await expect(theirs.getByText(en.signIn.errors.disabled)).toBeVisible();
  }
  await expect(page.getByText(en.userPage.enabled)).toBeVisible();
  await expect(page.getByRole('button', { name: en.userPage.more })).toBeFocused();
  await nextSecond(); // one of the second in which the account was disabled is revoked
  await fillIn(theirs, ana);
  expect(asked).toBe(until);
});
