'use client';

import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useVigil } from '@vigilhq/client/react';
import { useState, type FormEvent } from 'react';
import { useWords } from '@/lib/i18n';
import { useReport } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import { useAccount } from './account';
import { Dialog } from './dialog';
import { Cancelled, useRecent } from './reauth';
import { Section } from './states';

/** The end of the account, behind the user's own e-mail and a recent sign-in. */
export function DeleteAccount() {
  const { t } = useWords();
  const { email } = useAccount();
  const { client } = useVigil();
  const recent = useRecent();
  const report = useReport();
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const [busy, run] = useBusy();

  const confirmed = typed.trim() === email;
  const remove = (event: FormEvent) => {
    event.preventDefault();
    if (!confirmed) return;
    void run(() => recent(() => client.request('DELETE', '/v1/account'))).catch((cause) => {
      if (!(cause instanceof Cancelled)) report(cause);
    });
  };

  return (
    <Section title={t.security.danger}>
      <Group className="row" justify="space-between">
        <Text size="sm" c="dimmed" maw={520}>{t.security.dangerText}</Text>
        <Button variant="light" color="red" size="xs" onClick={() => { setTyped(''); setOpen(true); }}>{t.security.deleteAccount}</Button>
      </Group>
      <Dialog stackId="deletion" opened={open} onClose={() => setOpen(false)} title={t.security.deleteTitle}>
        <Stack component="form" onSubmit={remove}>
          <Text size="sm">{t.security.dangerText}</Text>
          <TextInput label={t.security.deleteLabel} placeholder={email} autoComplete="off" value={typed} onChange={(event) => setTyped(event.currentTarget.value)} data-autofocus />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setOpen(false)}>{t.cancel}</Button>
            <Button type="submit" color="red" loading={busy} disabled={!confirmed}>{t.security.deleteConfirm}</Button>
          </Group>
        </Stack>
      </Dialog>
    </Section>
  );
}
