'use client';

import { Button, RingProgress, Stack, Text, Title, VisuallyHidden } from '@mantine/core';
import { useIdleWarning, useVigil } from '@vigilhq/client/react';
import { useEffect, useId, useRef, useState } from 'react';
import { useWords } from '@/lib/i18n';
import classes from './idle-dialog.module.css';

// What a screen reader is told, in seconds before the end. Each second would drown everything else.
const STEPS = [600, 300, 120, 60, 30, 20, 10, 5];

/**
 * Asks whether somebody is still there before their session ends (WCAG 2.2.1): one button, which has the focus, and any other key
 * or click does the same. A native dialog, so that it lies above whatever else is open and takes the focus from it.
 */
export function IdleDialog() {
  const { t } = useWords();
  const { open, remaining, stayActive } = useIdleWarning();
  const dialog = useRef<HTMLDialogElement>(null);
  const { warning, warnAt, status } = useVigil();
  const id = useId();
  const seconds = Math.ceil(remaining / 1000);
  const total = warning && warnAt ? Math.max(1, (warning.deadline - warnAt) / 1000) : 1;

  useEffect(() => {
    const element = dialog.current;
    if (!element || !open) return;
    element.showModal();
    const stay = (event: Event) => {
      if (event.type === 'cancel') event.preventDefault();
      stayActive().catch(() => {}); // the dialog stays, and the next key tries again
    };
    element.addEventListener('keydown', stay);
    element.addEventListener('click', stay);
    element.addEventListener('cancel', stay); // Escape
    return () => {
      element.removeEventListener('keydown', stay);
      element.removeEventListener('click', stay);
      element.removeEventListener('cancel', stay);
      element.close();
    };
  }, [open, stayActive]);

  const latest = useRef(seconds);
  useEffect(() => {
    latest.current = seconds;
  });
  const step = STEPS.findLast((step) => step >= seconds);
  const [announced, setAnnounced] = useState(0);
  // Not at each second, but when another step is reached.
  useEffect(() => setAnnounced(latest.current), [open, step]);
  return (
    <dialog ref={dialog} role="alertdialog" aria-labelledby={`${id}-title`} aria-describedby={`${id}-text ${id}-live`} className={classes.dialog} data-testid="idle-dialog">
      {open && (
        <Stack align="center" gap="md" ta="center">
          <RingProgress
            size={132}
            thickness={9}
            roundCaps
            aria-hidden
            sections={[{ value: Math.min(100, (100 * seconds) / total), color: seconds <= 10 ? 'red' : 'iris' }]}
            label={
              <Text ta="center" fz={26} fw={650} className="countdown" data-testid="idle-remaining">
                {`${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`}
              </Text>
            }
          />
          <div>
            <Title order={2} fz="xl" id={`${id}-title`}>{t.idle.title}</Title>
            <Text mt={6} c="dimmed" id={`${id}-text`}>{t.idle.text}</Text>
          </div>
          {/* Escape is an answer here, and nothing to the dialog below, which Mantine would close. */}
          <Button fullWidth size="md" autoFocus data-mantine-stop-propagation>{t.idle.stay}</Button>
          <Text size="xs" c="dimmed" role="status">{status === 'live' ? t.idle.hint : t.idle.away}</Text>
          <VisuallyHidden component="div" id={`${id}-live`} aria-live="polite" data-testid="idle-announcement">{t.idle.remaining(announced)}</VisuallyHidden>
        </Stack>
      )}
    </dialog>
  );
}
