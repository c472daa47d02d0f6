import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium as playwright, type BrowserContext } from '@playwright/test';
import { ended } from './process.ts';

/** The browser: the machine's own, never a download. */
export const chromium = process.env['CHROMIUM'] || '/usr/bin/chromium';

/**
 * Runs something in a browser whose tabs can be hidden, and are treated accordingly, as on a user's desk. To Playwright's own browsers
 * every tab is in front.
 */
export async function withHiddenTabs(use: (context: BrowserContext) => Promise<void>): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), 'vigil-e2e-'));
  const browser = spawn(
    chromium,
    ['--headless', '--no-sandbox', '--no-first-run', '--lang=en-US', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const gone = ended(browser);
  try {
    const address = await new Promise<string>((resolve, reject) => {
      createInterface(browser.stderr).on('line', (line) => {
        const found = /DevTools listening on (\S+)/.exec(line);
        if (found?.[1]) resolve(found[1]);
      });
      void gone.then(() => reject(new Error(`${chromium} has ended`)));
    });
    const connection = await playwright.connectOverCDP(address, { noDefaults: true });
    const [context] = connection.contexts();
    if (!context) throw new Error('the browser has no context');
    await use(context);
    await connection.close();
  } finally {
    browser.kill();
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
