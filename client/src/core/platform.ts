import type { Platform } from './types.js';

/** What the browser offers, looked up when it is needed: on a server there is no window, and creating a client must not ask for one. */
export function browser(given: Partial<Platform> = {}): Platform {
  const { window, document, navigator, WebSocket, BroadcastChannel } = globalThis;
  return {
    window,
    document,
    navigator,
    WebSocket,
    BroadcastChannel: BroadcastChannel ?? null,
    fetch: (input, init) => fetch(input, init),
    now: () => Date.now(),
    setTimeout: (callback, ms) => setTimeout(callback, ms),
    clearTimeout: (handle) => clearTimeout(handle as number),
    random: () => Math.random(),
    ...given,
  };
}
