import type { Platform } from './types.js';

/** At most one report in this time, in milliseconds: more often is of no use to the server. */
export const ACTIVITY_INTERVAL = 15_000;

/** A page can scroll by itself: only shortly after an input, in milliseconds, it is the person's doing. */
const SCROLLS = 1000;

const EVENTS = ['mousedown', 'mousemove', 'keydown', 'touchstart', 'scroll', 'wheel'];

/** Watches a page for a person. */
export interface Watch {
  /** Lets the next sign through, however soon it comes. */
  rearm(): void;
  stop(): void;
}

/**
 * Reports that the person does something, throttled.
 * @param report false if it has reached nobody, so that the next sign is tried again
 */
export function watchActivity(p: Platform, report: () => boolean): Watch {
  let last = -Infinity;
  let input = -Infinity;
  let x: number | undefined;
  let y: number | undefined;

  const active = ({ isTrusted }: Event) => {
    if (!isTrusted) return; // a script's
    const now = p.now();
    // A clock that was set back must not silence the person until it has caught up.
    if (p.document.visibilityState !== 'hidden' && Math.abs(now - last) >= ACTIVITY_INTERVAL && report()) last = now;
  };
  const heard = (event: Event) => {
    if (event.type === 'mousemove') {
      // Browsers also send one when the page moves or appears below a pointer that rests.
      const { screenX, screenY } = event as MouseEvent;
      const moved = x !== undefined && (screenX !== x || screenY !== y);
      x = screenX;
      y = screenY;
      if (!moved) return;
    } else if (event.type !== 'scroll') {
      if (event.isTrusted) input = p.now();
    } else if (p.now() - input > SCROLLS) return;
    active(event);
  };

  // Capturing, so that neither a handler that stops an event nor a scrolling element hides it.
  const how = { capture: true, passive: true };
  for (const type of EVENTS) p.window.addEventListener(type, heard, how);
  p.document.addEventListener('visibilitychange', active);
  return {
    rearm: () => void (last = -Infinity),
    stop() {
      for (const type of EVENTS) p.window.removeEventListener(type, heard, how);
      p.document.removeEventListener('visibilitychange', active);
    },
  };
}
