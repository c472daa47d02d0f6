'use client';

import { Modal, type ModalProps } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { giveFocus } from '@/lib/focus';

/** A dialog that gives the focus back to what opened it. Mantine's own do so, but not in a stack. */
export function Dialog({ opened, onExitTransitionEnd, ...props }: ModalProps & { stackId: string }) {
  const root = useRef<HTMLDivElement>(null);
  const opener = useRef<Element | null>(null);
  useEffect(() => {
    if (opened) opener.current = openerOf(document.activeElement);
  }, [opened]);

  const exited = () => {
    const { activeElement } = document;
    const still = activeElement === document.body || root.current?.contains(activeElement);
    if (still && opener.current) giveFocus(opener.current);
    onExitTransitionEnd?.();
  };
  return <Modal {...props} ref={root} opened={opened} returnFocus={false} onExitTransitionEnd={exited} />;
}

/**
 * What has the focus or, as it is about to go with its menu, what that belongs to. Nothing where a button that shows work has lost it: then
 * what runs that work gives it back.
 */
function openerOf(focused: Element | null): Element | null {
  if (focused === document.body) return null;
  const menu = focused?.closest('[role=menu]');
  return menu ? document.getElementById(menu.getAttribute('aria-labelledby') ?? '') : focused;
}
