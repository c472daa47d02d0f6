'use client';

/** Gives the focus to an element, or to the page's content where that has gone or cannot have it. */
export function giveFocus(element: Element): void {
  for (const target of [element, document.getElementById('content')]) {
    if (!(target instanceof HTMLElement)) continue;
    target.focus({ preventScroll: target !== element });
    if (document.activeElement === target) return;
  }
}
