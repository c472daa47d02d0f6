import { fileURLToPath } from 'node:url';
import { test as base, expect, type BrowserContext, type Page } from '@playwright/test';
import { en, type Dictionary } from '../../lib/i18n/en.ts';
import { es } from '../../lib/i18n/es.ts';
import { freePorts, Server } from './process.ts';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const dashboard = folder('../..');
const vigil = folder('../../../../bin/vigil');

export const ana = { uid: 'ana', email: 'ana@example.com', password: 'ana-password' };
export const admin = { uid: 'admin', email: 'admin@example.com', password: 'admin-password' };
export type Account = typeof ana;

/** Settings of the service, as environment variables. */
export type Settings = Record<string, string>;

/** The service of a test, with nothing of the tests before it: `vigil dev`. */
export class Service {
  private accounts: Server | null = null;
  private server: Server | null = null;

  constructor(
    private readonly site: Site,
    private readonly settings: Settings,
  ) {}

  private get address(): string {
    return `127.0.0.1:${this.site.ports.api}`;
  }

  private get identity(): string {
    return `127.0.0.1:${this.site.ports.identity}`;
  }

  get output(): string {
    return this.server?.output ?? '';
  }

  async start(): Promise<void> {
    await this.run('dev', { ADDR: this.address, IDENTITY_ADDR: this.identity });
  }

  /**
   * The same in two parts, so that the accounts outlive a restart, as Firebase's do: `vigil serve` is what stops and starts, and `vigil dev`
   * somewhere else has the accounts.
   */
  async startInParts(): Promise<void> {
    this.accounts = new Server(vigil, ['dev'], { env: { ADDR: '127.0.0.1:0', IDENTITY_ADDR: this.identity, OPS_ADDR: '' } });
    await this.accounts.ready(`http://${this.identity}/`);
    await this.restart();
  }

  async restart(): Promise<void> {
    await this.server?.stop();
    await this.run('serve', {
      ADDR: this.address, FIREBASE_AUTH_EMULATOR_HOST: this.identity, FIREBASE_PROJECT_ID: 'demo-vigil', ALLOW_EMULATORS: 'true',
      STORE: 'memory', ALLOWED_ORIGINS: this.site.url, LOG_FORMAT: 'text',
    });
  }

  async stop(): Promise<void> {
    await this.server?.stop();
    await this.accounts?.stop();
  }

  private async run(command: string, env: Settings): Promise<void> {
    this.server = new Server(vigil, [command], { env: { OPS_ADDR: '', ...env, ...this.settings } });
    await this.server.ready(`http://${this.address}/readyz`);
  }
}

/** A dashboard, and the ports that it knows its service at. */
export interface Site {
  url: string;
  ports: { api: number; identity: number };
}

export const test = base.extend<{ settings: Settings; inParts: boolean; service: Service; newContext: () => Promise<BrowserContext> }, { site: Site }>({
  settings: [{}, { option: true }],
  inParts: [false, { option: true }],

  /** The dashboard's production build, for all tests of a worker. */
  site: [
    async ({}, use) => {
      const [web, api, identity] = (await freePorts(3)) as [number, number, number];
      const service = `http://127.0.0.1:${api}`;
      const server = new Server(process.execPath, ['node_modules/next/dist/bin/next', 'start', '--hostname', '127.0.0.1', '--port', String(web)], {
        cwd: dashboard,
        env: { VIGIL_URL: service, NEXT_PUBLIC_VIGIL_URL: service, NEXT_PUBLIC_AUTH_EMULATOR_URL: `http://127.0.0.1:${identity}` },
      });
      await server.ready(`http://127.0.0.1:${web}/sign-in`);
      await use({ url: `http://localhost:${web}`, ports: { api, identity } });
      await server.stop();
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ site }, use) => use(site.url),

  service: [
    async ({ site, settings, inParts }, use, info) => {
      const service = new Service(site, settings);
      await (inParts ? service.startInParts() : service.start());
      await use(service);
      await service.stop();
      if (info.status !== info.expectedStatus) await info.attach('vigil', { body: service.output, contentType: 'text/plain' });
    },
    { auto: true },
  ],

  /** Another browser: nothing in it is shared with the others. */
  newContext: async ({ browser, baseURL, contextOptions }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext({ ...contextOptions, ...(baseURL ? { baseURL } : {}) });
      contexts.push(context);
      return context;
    });
    for (const context of contexts) await context.close();
  },
});

const lastSignIn = new Map<string, number>();
const second = () => Math.floor(Date.now() / 1000);

/** Waits for another second than now: sign-ins of one second are one session. */
export const nextSecond = (now = second()) => expect.poll(second, { intervals: [50] }).toBeGreaterThan(now);

/** Fills in the form of the sign-in and sends it, in another second than the account's last time: sign-ins of one second are one session. */
export async function fillIn(page: Page, account: Account, t: Dictionary = en): Promise<void> {
  await submit(page, account, t);
  await expect(connected(page)).toHaveAttribute('data-state', 'live');
  lastSignIn.set(account.email, second());
}

/** The same, whatever comes of it. */
export async function submit(page: Page, account: Account, t: Dictionary = en): Promise<void> {
  await page.getByLabel(t.signIn.email, { exact: true }).fill(account.email);
  await page.getByLabel(t.signIn.password, { exact: true }).fill(account.password);
  await nextSecond(lastSignIn.get(account.email) ?? 0);
  await page.getByRole('button', { name: t.signIn.submit, exact: true }).click();
}

/** Signs in, and returns when the session is live. */
export async function signIn(page: Page, account: Account = ana, t: Dictionary = en): Promise<void> {
  await page.goto('/sign-in');
  await fillIn(page, account, t);
}

/** Where the page says whether it hears from the service. */
export const connected = (page: Page) => page.getByTestId('connection');

/** Expects to have been signed out for a reason, and to be told. */
export async function expectEnded(page: Page, reason: keyof typeof en.ended): Promise<void> {
  await expect(page.getByTestId('ended-banner')).toHaveAttribute('data-reason', reason);
  await expect(page.getByTestId('ended-banner')).toContainText(en.ended[reason][0] ?? '');
}

/** The sessions that a page lists, and among them the one that it has itself. */
export const sessionsOf = (page: Page) => page.getByTestId('session');
export const ownSession = (page: Page) => sessionsOf(page).filter({ has: page.getByTestId('this-device') });

/** How long something takes, for people to read; nothing depends on it. */
export async function measured<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  console.log(`  ${name}: ${Math.round(performance.now() - start)} ms`);
  return result;
}

export { expect, en, es };
