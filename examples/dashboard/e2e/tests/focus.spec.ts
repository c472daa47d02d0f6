import type { Page } from '@playwright/test';
import { admin, ana, en, expect, nextSecond, signIn, test } from '../support/test.ts';
import { visit, visitors } from '../support/visitors.ts';

const mass = (page: Page) => page.getByRole('button', { name: en.admin.mass });
const reason = (page: Page) => page.getByLabel(en.admin.reason);

test('a dialog gives the focus back to what opened it', async ({ page }) => {
  await signIn(page, admin);
  await page.goto('/security');
  const change = page.getByRole('button', { name: en.security.changeEmail });
  const cancel = page.getByRole('dialog').getByRole('button', { name: en.cancel });
  for (const close of [() => page.keyboard.press('Escape'), () => cancel.press('Enter')]) {
    await change.press('Enter');
    await expect(page.getByLabel(en.security.newEmail)).toBeFocused();
    await close();
    await expect(change).toBeFocused();
  }

  await page.goto(`/admin/users/${ana.uid}`);
  const more = page.getByRole('button', { name: en.userPage.more });
  await more.press('Enter');
  await page.getByRole('menuitem', { name: en.userPage.disable }).press('Enter');
  await expect(reason(page)).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(more).toBeFocused();
});

test.describe('the question for the password', () => {
  test.use({ settings: { REAUTH_MAX_AGE: '1s' } });

  test('leaves the focus with what asked', async ({ page, site }) => {
    const question = page.getByRole('dialog', { name: en.reauth.title });
    const password = question.getByLabel(en.signIn.password, { exact: true });
    const confirm = question.getByRole('button', { name: en.reauth.submit });
    await visit({ site }, visitors(ana)[0]!);
    await signIn(page, admin);
    await page.goto('/admin');
    for (const _ of 'twice') await nextSecond();

    const end = page.getByRole('button', { name: en.admin.endOne(ana.uid, 'Safari 18 on iOS 18') });
    await end.press('Enter');
    await expect(password).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(end).toBeFocused();

    await end.press('Enter');
    await password.fill('not this');
    await confirm.press('Enter');
    await expect(question.getByRole('alert')).toHaveText(en.signIn.errors.credentials);
    await expect(confirm).toBeFocused();
    await question.getByRole('button', { name: en.cancel }).press('Enter');
    await expect(end).toBeFocused();

    await mass(page).press('Enter');
    await reason(page).press('Enter');
    await expect(password).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(reason(page)).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(mass(page)).toBeFocused();
  });
});

test('what loads more keeps the focus', async ({ page }) => {
  const tokens: Record<string, string> = { '': 'second', second: 'third' };
  const pages = async (pattern: string) => {
    let first: object | undefined;
    await page.route(pattern, async (route) => {
      const token = new URL(route.request().url()).searchParams.get('pageToken') ?? '';
      first ??= (await (await route.fetch()).json()) as object;
      await route.fulfill({ json: { ...first, nextPageToken: tokens[token] } });
    });
  };
  await pages('**/v1/events?*');
  await pages('**/v1/admin/sessions?*');
  await signIn(page, admin);
  await page.goto('/security');
  const [event, more] = [page.getByTestId('event'), page.getByRole('button', { name: en.more })];
  await expect(more).toBeVisible();
  const once = await event.count();
  await more.press('Enter');
  await expect(event).toHaveCount(2 * once);
  await expect(more).toBeFocused();
  await more.press('Enter');
  await expect(more).toBeHidden();
  await expect(page.locator('#content')).toBeFocused();

  await page.goto('/admin');
  const next = page.getByRole('button', { name: en.next });
  for (const number of ['2', '3']) {
    await next.press('Enter');
    await expect(page.getByTestId('page')).toHaveText(number);
    await expect(next).toBeFocused();
  }
  await expect(next).toBeDisabled(); // and says so, but keeps the focus
});

test('what has been typed can be shown by the keyboard', async ({ page }) => {
  await page.goto('/sign-in');
  const password = page.getByLabel(en.signIn.password, { exact: true });
  await password.fill(ana.password);
  await password.press('Tab');
  await expect(page.getByRole('button', { name: en.reveal })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(password).toHaveAttribute('type', 'text');
});
