'use client';

import { ActionIcon, Button } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { useWords } from '@/lib/i18n';
import { useBusy } from '@/lib/use-busy';

/** Ends a session. On a phone only a cross, with the same name. */
export function EndButton({ label, onEnd }: { label: string; onEnd: () => Promise<void> }) {
  const { t } = useWords();
  const [busy, run] = useBusy();
  const end = () => run(onEnd);
  return (
    <>
      <Button variant="default" size="xs" onClick={end} loading={busy} aria-label={label} visibleFrom="xs" style={{ flexShrink: 0 }}>{t.sessions.end}</Button>
      <ActionIcon variant="default" size={34} onClick={end} loading={busy} aria-label={label} hiddenFrom="xs" style={{ flexShrink: 0 }}>
        <IconX size={16} aria-hidden />
      </ActionIcon>
    </>
  );
}
