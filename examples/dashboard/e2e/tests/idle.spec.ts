import { en, expect, expectEnded, sessionsOf, signIn, test } from '../support/test.ts';

test.use({ settings: { IDLE_TIMEOUT: '8s', IDLE_WARNING: '4s' } });

test('a warning in all tabs, an extension from one of them, and the end in all', async ({ page, context }) => {
  await signIn(page);
  const tabs = [page, await context.newPage(), await context.newPage()];
  for (const tab of tabs.slice(1)) {
    await tab.goto('/');
    await expect(sessionsOf(tab)).toHaveCount(1);
  }
  const warning = (tab: typeof page) => tab.getByRole('alertdialog', { name: en.idle.title });
  for (const tab of tabs) await expect(warning(tab)).toBeVisible();
  await expect(page.getByRole('button', { name: en.idle.stay })).toBeFocused();

  await tabs[1]!.getByRole('button', { name: en.idle.stay }).click();
  for (const tab of tabs) await expect(warning(tab)).toBeHidden();

  for (const tab of tabs) await expect(warning(tab)).toBeVisible();
  await tabs[2]!.keyboard.press('Shift');
  for (const tab of tabs) await expect(warning(tab)).toBeHidden();

  for (const tab of tabs) await expectEnded(tab, 'idle_timeout');
});
