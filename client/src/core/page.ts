import type { EndReason, Platform } from './types.js';

/** What the browser and the other tabs tell. */
export interface PageEvents {
  /** The page is looked at, or goes on: what was known may be old. */
  wake(): void;
  /** It is put away, perhaps for good. */
  hide(): void;
  online(): void;
  offline(): void;
  /** Another tab has learnt of the end of a session. */
  ended(sessionId: string, reason: EndReason): void;
}

/** A page that is listened to. */
export interface Page {
  /** Tells the other tabs. */
  tell(sessionId: string, reason: EndReason): void;
  stop(): void;
}

/** Listens to the browser and to the other tabs. */
export function watchPage(p: Platform, on: PageEvents): Page {
  const channel = p.BroadcastChannel && new p.BroadcastChannel('vigil');
  if (channel) channel.onmessage = ({ data }) => data?.sessionId && on.ended(data.sessionId, data.reason);

  const listeners: [EventTarget, string, () => void][] = [
    [p.document, 'visibilitychange', () => p.document.visibilityState !== 'hidden' && on.wake()],
    [p.document, 'resume', on.wake],
    [p.window, 'pageshow', on.wake],
    [p.window, 'pagehide', on.hide],
    [p.window, 'online', on.online],
    [p.window, 'offline', on.offline],
  ];
  for (const [target, type, listener] of listeners) target.addEventListener(type, listener);
  return {
    tell: (sessionId, reason) => channel?.postMessage({ sessionId, reason }),
    stop() {
      channel?.close();
      for (const [target, type, listener] of listeners) target.removeEventListener(type, listener);
    },
  };
}
