'use client';

import { useEffect, useRef, useState } from 'react';

/**
 * Whether something is under way, and what runs it. A button that shows so is disabled meanwhile and loses the focus: afterwards it gets the
 * focus back or, if it has gone with what it did, the page's content does.
 */
export function useBusy(): [boolean, (work: () => Promise<void>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const focused = useRef<Element | null>(null);
  const run = async (work: () => Promise<void>) => {
    focused.current = document.activeElement;
    setBusy(true);
    try {
      await work();
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => (busy ? undefined : giveBack(focused)), [busy]);
  useEffect(() => () => giveBack(focused), []);
  return [busy, run];
}

function giveBack(focused: { current: Element | null }): void {
  const element = focused.current;
  if (!element) return;
  focused.current = null;
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body) return; // somebody has moved on
    const target = element.isConnected ? element : document.getElementById('content');
    if (target instanceof HTMLElement) target.focus();
  });
}
