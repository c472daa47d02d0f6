import { VigilError } from './error.js';
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

/** A promise, for so many milliseconds: then it fails as what has not been reached. */
export async function within<T>(p: Platform, ms: number, promise: Promise<T>): Promise<T> {
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = p.setTimeout(() => reject(new VigilError(0, 'unavailable', 'timeout')), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    p.clearTimeout(timer);
  }
}
