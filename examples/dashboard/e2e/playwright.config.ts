import { defineConfig } from '@playwright/test';
import { chromium } from './support/browser.ts';

export default defineConfig({
  testDir: 'tests',
  // Each worker has a dashboard and a service of its own, so tests run beside each other without knowing of each other.
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    launchOptions: { executablePath: chromium },
    locale: 'en-US',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    trace: 'retain-on-failure',
  },
});
