'use client';

import { useEffect, useRef, useState } from 'react';
import { giveFocus } from './focus';

/** What had the focus, and the dialog that it was in. */
interface Focused {
  element: Element | null;
  dialog: Element | null;
}

const NOTHING: Focused = { element: null, dialog: null };

/**
 * Whether something is under way, and what runs it. A button that shows so is disabled meanwhile and loses the focus: afterwards it gets the
 * focus back or, if it has gone with what it did, the dialog or the page that it was in does.
 */
export function useBusy(): [boolean, (work: () => Promise<void>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const focused = useRef(NOTHING);
  const run = async (work: () => Promise<void>) => {
    const element = document.activeElement;
    focused.current = { element, dialog: element?.closest('[role=dialog]') ?? null };
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

function giveBack(focused: { current: Focused }): void {
  const { element, dialog } = focused.current;
  if (!element) return;
  focused.current = NOTHING;
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body) return; // somebody has moved on
    if (element.isConnected || !dialog) giveFocus(element);
    else if (dialog.isConnected) giveFocus(dialog); // else it has closed, and has given the focus back itself
  });
}
