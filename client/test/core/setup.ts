import { afterEach, beforeEach, vi } from 'vitest';

import { Browser, Tab } from './browser.js';
import { Server } from './server.js';

/** When each test begins. */
export const START = Date.parse('2026-01-02T03:04:05.678Z');

/** What the running test has. */
export let server: Server;
export let browser: Browser;
export let tab: Tab;

/** Gives each test of a file a clock, a service, a browser and one tab in it: the one that `open` makes, or else a live one. */
export function setUp(open: () => Tab | Promise<Tab> = () => new Tab(browser).live()): void {
  beforeEach(async () => {
    vi.useFakeTimers({ now: START });
    server = new Server();
    browser = new Browser(server);
    tab = await open();
  });
  afterEach(() => vi.useRealTimers());
}

export const registrations = () => server.requests.filter(({ method, path }) => method === 'POST' && path === '/v1/sessions');

/** The frames of a type that the client has sent, on whatever socket. */
export const sent = (type: string) => server.peers.flatMap(({ frames }) => frames).filter((frame) => frame.type === type);
