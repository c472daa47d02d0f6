import { onTestFinished, vi } from 'vitest';

import { createVigil, type EndReason, type Vigil, type VigilOptions } from '../../src/core/index.js';
import { tokenOf, type Server, type SignIn } from './server.js';

/** What the tabs of a browser share: the Firebase user, cookies, the channel. */
export class Browser {
  signIn: SignIn | null = { sub: 'ana', auth_time: Math.floor(Date.now() / 1000) };
  /** Seconds that a token lasts. */
  tokenLife = 3600;
  readonly cookies = new Map<string, string>();
  /** The attributes of each cookie as it was last set. */
  readonly attributes = new Map<string, string[]>();
  readonly channels = new Set<Channel>();
  /** Those of an application that listens to Firebase. */
  readonly tabs = new Set<Tab>();
  private nth = 0;
  private held: { signIn: SignIn; token: string; exp: number } | null = null;

  constructor(readonly server: Server) {}

  /** Firebase's getIdToken: the same token until five minutes before its end. */
  getToken = async (force: boolean): Promise<string | null> => {
    if (!this.signIn) return null;
    const now = this.server.now() / 1000;
    if (force || this.held?.signIn !== this.signIn || this.held.exp - now < 300) {
      const exp = Math.floor(now) + this.tokenLife;
      this.held = { signIn: this.signIn, exp, token: tokenOf(this.signIn, exp, this.nth++) };
    }
    return this.held.token;
  };

  /** The person proves who they are once more. */
  reauthenticate(): void {
    this.signIn = { ...this.signIn!, auth_time: Math.floor(this.server.now() / 1000) };
  }

  /** Firebase's signOut: the other tabs hear of it within 800 ms. */
  signOut(from: Tab): void {
    this.signIn = null;
    for (const tab of this.tabs) setTimeout(() => this.signIn ?? tab.vigil.stop(), tab === from ? 0 : 800 * this.server.random());
  }

  setCookie(text: string): void {
    const [pair, ...attributes] = text.split('; ');
    const [name, value] = pair!.split(/=(.*)/s) as [string, string];
    this.attributes.set(name, attributes);
    if (attributes.includes('Max-Age=0')) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

class Channel {
  onmessage: ((event: MessageEvent) => void) | null = null;
  constructor(private readonly browser: Browser) {
    browser.channels.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of this.browser.channels)
      if (other !== this) setTimeout(() => this.browser.channels.has(other) && other.onmessage?.(new MessageEvent('message', { data })));
  }
  close(): void {
    this.browser.channels.delete(this);
  }
}

/** A page with the client in it. */
export class Tab {
  readonly window = new EventTarget();
  readonly document: EventTarget & { visibilityState: string; cookie: string };
  readonly navigator = { onLine: true };
  readonly onEnded = vi.fn<(reason: EndReason) => void>();
  readonly getToken: ReturnType<typeof vi.fn<(force: boolean) => Promise<string | null>>>;
  readonly vigil: Vigil;

  constructor(
    readonly browser: Browser,
    options: Partial<VigilOptions> = {},
  ) {
    this.document = Object.defineProperty(Object.assign(new EventTarget(), { visibilityState: 'visible', cookie: '' }), 'cookie', {
      set: (text: string) => browser.setCookie(text),
    });
    this.getToken = vi.fn(browser.getToken);
    const { server } = browser;
    this.vigil = createVigil({
      url: 'https://vigil.example.com/',
      getToken: this.getToken,
      onEnded: this.onEnded,
      ...options,
      platform: {
        fetch: server.fetch,
        WebSocket: server.WebSocket,
        BroadcastChannel: Channel.bind(null, browser) as never,
        window: this.window as never,
        document: this.document,
        navigator: this.navigator,
        random: () => server.random(),
        ...options.platform,
      },
    });
    onTestFinished(() => this.vigil.stop());
  }

  get state() {
    return this.vigil.getState();
  }

  /** As an application does: signs out of Firebase at the end, and stops when somebody has signed out. */
  withFirebase(): this {
    this.browser.tabs.add(this);
    this.onEnded.mockImplementation(() => this.browser.signOut(this));
    return this;
  }

  /** The person does something. */
  act(type = 'keydown', more: object = {}): void {
    this.window.dispatchEvent(trusted(type, more));
  }

  show(visibilityState: 'visible' | 'hidden'): void {
    this.document.visibilityState = visibilityState;
    this.document.dispatchEvent(trusted('visibilitychange'));
  }

  /** The network comes or goes. */
  online(onLine: boolean): void {
    this.navigator.onLine = onLine;
    this.window.dispatchEvent(new Event(onLine ? 'online' : 'offline'));
  }

  /** Starts, and waits until the session is live. */
  async live(): Promise<this> {
    this.vigil.start();
    await vi.advanceTimersByTimeAsync(500);
    if (this.state.status !== 'live') throw new Error(`not live: ${JSON.stringify(this.state)}`);
    return this;
  }
}

/** An event of the browser, not of a script. */
const trusted = (type: string, more: object = {}) => Object.defineProperty(Object.assign(new Event(type), more), 'isTrusted', { value: true });

/** Lets time pass, and with it the timers. */
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** The machine sleeps: the clock goes on, the timers do not. */
export const sleep = (ms: number) => void vi.setSystemTime(Date.now() + ms);
