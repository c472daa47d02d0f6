import { admin, en, expect, signIn, test } from '../support/test.ts';

test('pages run no script but their own, and lie in nobody\'s frame', async ({ page }) => {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  const answer = await page.goto('/sign-in');
  const headers = answer?.headers() ?? {};
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers['content-security-policy']).not.toContain("script-src 'self' 'unsafe-inline'");
  expect(headers['x-content-type-options']).toBe('nosniff');
  await signIn(page);
  await page.goto('/security');
  await expect(page.getByTestId('server-check')).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the address keeps what an administrator looks at', async ({ page }) => {
  await signIn(page, admin);
  await page.goto('/admin');
  await page.getByLabel(en.admin.ip).fill('not-an-address');
  await page.getByRole('button', { name: en.admin.search, exact: true }).click();
  await expect(page.getByText(en.admin.notAccepted)).toBeVisible();
  await page.getByLabel(en.admin.ip).fill('127.0.0.1');
  await page.getByRole('button', { name: en.admin.search, exact: true }).click();
  await page.getByRole('link', { name: en.admin.openUser('admin') }).click();
  await expect(page.getByRole('heading', { name: en.userPage.title('admin') })).toBeVisible();
  await expect(page).toHaveTitle(`${en.userPage.title('admin')} · ${en.brand}`);
  await page.goBack();
  await expect(page.getByLabel(en.admin.ip)).toHaveValue('127.0.0.1');

  await page.getByRole('tab', { name: en.admin.tabs.statistics }).click();
  await page.reload();
  await expect(page.getByRole('tab', { name: en.admin.tabs.statistics })).toHaveAttribute('aria-selected', 'true');

  await page.goto('/nowhere');
  await expect(page.getByText(en.notFound.title)).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('the closed navigation is out of reach, and Escape closes the open one', async ({ page }) => {
    await signIn(page);
    const security = page.getByRole('link', { name: en.nav.security });
    await expect(security).toBeHidden();
    await page.getByRole('button', { name: en.nav.open }).click();
    await security.focus();
    await page.keyboard.press('Escape');
    await expect(security).toBeHidden();
    await expect(page.getByRole('button', { name: en.nav.open })).toBeFocused();
  });
});
